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

/**
 * The document that a route returns, known before any request.
 *
 * @param models - Every model of the API.
 * @param model - The model that the route belongs to; absent for shared routes.
 * @throws TypeError when a function serves the route.
 */
export function routeDocument(operation: string, models: readonly PackedModel[], model?: PackedModel): unknown {
  switch (operation) {
    case 'openai-models':
      return openAiModelList(models.map(modelOf));
    case 'server-metadata':
      return serverMetadata(PACKAGE_VERSION);
    case 'server-live':
      return serverLive();
    case 'server-ready':
      return serverReady();
    case 'openai-model':
      return modelOf(required(model));
    case 'model-metadata':
      return metadataOf(required(model));
    default:
      throw new TypeError(`${operation} is served by a function`);
  }
}

/** A model with the limits of its main version. */
function modelOf({ manifest, versions }: PackedModel): OpenAiModel {
  const main = versions[manifestTraffic(manifest).main];
  return openAiModel(manifest.id, main === undefined ? {} : taskOf(manifest).describeLimits(manifest, main));
}

function metadataOf(model: PackedModel): ModelMetadata {
  return modelMetadata(model, taskOf(model.manifest).task);
}

function required(model: PackedModel | undefined): PackedModel {
  if (model === undefined) throw new TypeError('the route belongs to no model');
  return model;
}
