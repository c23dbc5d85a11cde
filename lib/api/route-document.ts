import { namesOf } from '../../core/models/model-names.ts';
import type { PackedModel } from '../../core/models/packed-model.ts';
import {
  type ModelMetadata,
  modelMetadata,
  serverLive,
  serverMetadata,
  serverReady,
} from '../../core/protocols/open-inference/metadata.ts';
import { type OpenAiModel, openAiModel, openAiModelList } from '../../core/protocols/openai-models.ts';
import { taskOf } from '../../core/tasks/tasks.ts';
import { manifestTraffic } from '../../core/traffic/traffic.ts';
import { PACKAGE_VERSION } from '../packaging/package-layout.ts';

/** A model, and the name of it that a route has; by default its id. */
export interface NamedModel {
  readonly packed: PackedModel;
  readonly name?: string | undefined;
}

/**
 * Returns the document of a route whose response is known before any request.
 *
 * @param models - Every model of the API.
 * @param model - The model that the route belongs to; absent for shared routes.
 * @throws TypeError when a function serves the route.
 */
export function routeDocument(operation: string, models: readonly PackedModel[], model?: NamedModel): unknown {
  switch (operation) {
    case 'openai-models':
      return openAiModelList(
        models.flatMap((packed) => namesOf(packed.manifest).map((name) => modelOf({ packed, name }))),
      );
    case 'server-metadata':
      return serverMetadata(PACKAGE_VERSION);
    case 'server-live':
      return serverLive();
    case 'server-ready':
      return serverReady();
    case 'openai-model':
      return modelOf(required(model));
    case 'model-metadata':
      return metadataOf(required(model).packed);
    default:
      throw new TypeError(`${operation} is served by a function`);
  }
}

/** A model by one of its names, with the limits of its main version. */
function modelOf({ packed: { manifest, versions }, name = manifest.id }: NamedModel): OpenAiModel {
  const main = versions[manifestTraffic(manifest).main];
  const limits = main === undefined ? {} : taskOf(manifest).describeLimits(manifest, main);
  return openAiModel(name, name === manifest.id ? limits : { root: manifest.id, ...limits });
}

function metadataOf(model: PackedModel): ModelMetadata {
  return modelMetadata(model, taskOf(model.manifest).task);
}

function required(model: NamedModel | undefined): NamedModel {
  if (model === undefined) throw new TypeError('the route belongs to no model');
  return model;
}
