import type { Clock } from '../../../core/clock.ts';
import type { PackedModel } from '../../../core/models/packed-model.ts';
import type { CachePolicy } from '../../../core/results/cache-policy.ts';
import { embeddingDimensions } from '../../../core/tasks/embedding/embedding-model.ts';
import type { EmbeddingLimits } from '../../../core/tasks/embedding/embedding-request.ts';
import type { TextTokenizer } from '../../../core/tasks/text-tokenizer.ts';
import type { TrafficSource } from '../../../core/traffic/traffic-source.ts';
import type { Collapse } from '../results/collapse.ts';
import type { LeveledResultCache } from '../results/results-cache.ts';
import type { RequestMeasures } from '../telemetry/request-measures.ts';
import type { LoadedVersion, ModelVersions } from './model-versions.ts';

/** What inference needs, whoever asks for it. */
export interface InferenceDeps {
  readonly packed: PackedModel;
  readonly versions: ModelVersions;
  /** The traffic split between the versions. */
  readonly traffic: TrafficSource;
  /** Absent for models that read no text. */
  readonly tokenizer: TextTokenizer | undefined;
  /** Absent where the model keeps no results. */
  readonly cache: LeveledResultCache | undefined;
  /** Absent where computing is cheaper than asking whether others do. */
  readonly collapse?: Collapse;
  readonly clock: Clock;
  /** Milliseconds on a timer that never goes back. */
  readonly timer: () => number;
}

/** What inference on texts needs. */
export type TextInferenceDeps = InferenceDeps & { readonly tokenizer: TextTokenizer };

/** Whether the model reads texts; the others take tensors. */
export function readsTexts<D extends InferenceDeps>(deps: D): deps is D & { readonly tokenizer: TextTokenizer } {
  return deps.tokenizer !== undefined;
}

/** One use of the model: which version runs, what the cache may do, and where it is noted what happened. */
export interface Call {
  readonly version: LoadedVersion;
  readonly policy: CachePolicy;
  readonly measures: RequestMeasures;
}

/** Bounds of a request for embeddings from one version. */
export function embeddingLimits({ version }: Call, { packed, tokenizer }: TextInferenceDeps): EmbeddingLimits {
  return {
    maxItems: packed.manifest.limits.maxItems,
    dimensions: embeddingDimensions(version.packed),
    vocabularySize: tokenizer.vocabularySize,
  };
}
