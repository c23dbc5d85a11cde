import type { APIGatewayProxyEvent } from 'aws-lambda';
import { type CachePolicy, readCacheControl } from '../../core/cache-policy.ts';
import { embeddingDimensions } from '../../core/embedding-model.ts';
import type { EmbeddingLimits } from '../../core/embedding-request.ts';
import type { PackedModel } from '../../core/packed-model.ts';
import type { Clock, TextTokenizer } from '../../core/ports.ts';
import type { ServeModelEnvironment } from '../../core/serve-model-environment.ts';
import { trafficOf } from '../../core/traffic.ts';
import { pickVersion } from '../../core/version-split.ts';
import type { Forward } from '../shared/lambda-forwarder.ts';
import { headerOf, type WithJson } from '../shared/middleware/json-body.ts';
import type { Measured, RequestMeasures } from '../shared/request-measures.ts';
import type { TieredResultCache } from '../shared/tiered-result-cache.ts';
import type { LoadedVersion, ModelVersions } from './model-versions.ts';

/** An event of API Gateway with its body read and its measures begun. */
export type ServeEvent = APIGatewayProxyEvent & WithJson & Measured;

/** What requests need. */
export interface ServeDeps {
  readonly packed: PackedModel;
  readonly environment: ServeModelEnvironment;
  readonly versions: ModelVersions;
  /** Absent for models that read no text. */
  readonly tokenizer: TextTokenizer | undefined;
  /** Absent where the model keeps no results. */
  readonly cache: TieredResultCache | undefined;
  /** Hands a request that names another model on to its function. */
  readonly forward: Forward;
  readonly clock: Clock;
  /** Milliseconds on a timer that never goes back. */
  readonly timer: () => number;
}

/** What requests to a model of texts need. */
export type TextDeps = ServeDeps & { readonly tokenizer: TextTokenizer };

/** Whether the model reads texts; the others take tensors. */
export function readsTexts(deps: ServeDeps): deps is TextDeps {
  return deps.tokenizer !== undefined;
}

/** One request to the model: which version answers it, and what the cache may do. */
export interface Call {
  readonly version: LoadedVersion;
  readonly policy: CachePolicy;
  readonly measures: RequestMeasures;
}

/**
 * Picks the version that answers a request: the one its path names, else one by the traffic split.
 *
 * The split is sticky: the same caller always gets the same version. A caller is what the header `x-experiment-key`
 * says, else its API key, else its address.
 *
 * @throws AppError `VERSION_NOT_FOUND` when the path names a version there is not.
 */
export async function openCall(event: ServeEvent, { packed, versions }: ServeDeps): Promise<Call> {
  const name = event.pathParameters?.['version'] ?? pickVersion(trafficOf(packed.manifest), stickyKeyOf(event));
  versions.describe(name);
  event.measures.version = name;
  const policy = readCacheControl(headerOf(event, 'cache-control'));
  return { version: await versions.open(name), policy, measures: event.measures };
}

/** Bounds of a request for embeddings from one version. */
export function embeddingLimits({ version }: Call, { packed, tokenizer }: TextDeps): EmbeddingLimits {
  return {
    maxItems: packed.manifest.limits.maxItems,
    dimensions: embeddingDimensions(version.packed),
    vocabularySize: tokenizer.vocabularySize,
  };
}

function stickyKeyOf(event: ServeEvent): string {
  const identity = event.requestContext?.identity;
  return headerOf(event, 'x-experiment-key') ?? identity?.apiKeyId ?? identity?.sourceIp ?? '';
}
