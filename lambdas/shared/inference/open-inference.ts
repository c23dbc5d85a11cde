import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../../core/clock.ts';
import { AppError } from '../../../core/errors.ts';
import { PACKED_DESCRIPTION, PACKED_TOKENIZER } from '../../../core/models/packed-files.ts';
import type { PackedModel } from '../../../core/models/packed-model.ts';
import type { ResultCache } from '../../../core/results/result-cache.ts';
import type { TextTokenizer } from '../../../core/tasks/text-tokenizer.ts';
import { manifestTraffic } from '../../../core/traffic/traffic.ts';
import { fixedTraffic } from '../../../core/traffic/traffic-source.ts';
import { openTokenizer } from '../preprocessors/tokenizer.ts';
import { CircuitBreaker } from '../resilience/circuit-breaker.ts';
import type { Collapse } from '../results/collapse.ts';
import { DeferredResultCache } from '../results/deferred-result-cache.ts';
import { type CacheFailure, failOpen } from '../results/fail-open-result-cache.ts';
import { MemoryResultCache } from '../results/memory-result-cache.ts';
import { tiered } from '../results/tiered-result-cache.ts';
import type { InferenceDeps } from './inference.ts';
import { type LoadVersion, ModelVersions } from './model-versions.ts';
import { warmUp } from './warm-up.ts';

/** Time that the table may take: a cheap model answers sooner than a slow look-up. */
const USUAL_BUDGETS: TableBudgets = { readMs: 25, writeMs: 50 };

/** Time for the first connection and what waited for it; no request waits for that. */
const CONNECT_BUDGET_MS = 1000;

/** Failures in a row after which the table is left alone, and for how long. */
const BREAKER = { failures: 3, openMs: 30_000 };

/** Most results that wait for the table's client to be loaded. */
const MAX_WAITING_RESULTS = 1000;

/** A key that no result has: reading it makes the first connection. */
const PROBE_FINGERPRINT = 'connect';

/** How long an environment may work on what others wait for: ten times what an endpoint usually takes. */
const CLAIM_MS = 5000;

const MIB = 1024 * 1024;

/** Where {@link openInference} finds things. */
export interface OpenInferenceOptions {
  /** Folder of the packed model. */
  readonly modelFolder: string;
  /** Name of the DynamoDB results table; absent where the model does not use it. */
  readonly resultsTable: string | undefined;
  /** Memory of the function; decides how many threads the model gets. */
  readonly memoryMiB: number;
  /** Name of the SageMaker endpoint that runs the model; absent where the function runs it itself. */
  readonly endpoint: string | undefined;
  /** Time that the results table may take, in milliseconds. Defaults to what somebody who waits for an answer can bear. */
  readonly budgets?: TableBudgets;
}

/** Time that the results table may take, in milliseconds. */
export interface TableBudgets {
  readonly readMs: number;
  readonly writeMs: number;
}

/** A model that can be asked. */
export interface Inference {
  readonly deps: InferenceDeps;
  /** The results table, not connected yet; absent where the model does not use it. */
  readonly table: DeferredResultCache | undefined;
  /** Failures of the results cache that nobody has taken yet. */
  readonly failures: CacheFailure[];
}

/**
 * Opens the packed model, the sessions of the versions with traffic, the tokenizer and the caches, and runs the model
 * once.
 *
 * @throws AppError `ONNX_INVALID` when the packed model cannot be used, `CONFIG_INVALID` when it runs on an endpoint and
 * none is named.
 */
export async function openInference(options: OpenInferenceOptions): Promise<Inference> {
  const { modelFolder } = options;
  const packed = readPackedModel(modelFolder);
  const clock: Clock = { now: () => Date.now() };
  const traffic = manifestTraffic(packed.manifest);
  const versions = new ModelVersions(packed, await loaderOf(packed, options, clock));
  const failures: CacheFailure[] = [];
  const table = deferredTable(packed, options, clock, failures);
  const collapse = await collapseOf(packed, options, clock);
  const deps: InferenceDeps = {
    ...(collapse === undefined ? {} : { collapse }),
    packed,
    versions,
    traffic: fixedTraffic(traffic),
    tokenizer: tokenizerOf(packed, modelFolder),
    cache: cacheOf(packed, table, clock),
    clock,
    timer: () => performance.now(),
  };
  // Who waits for another's results must see them; a table that cannot be reached is reported with the first use.
  const opened = collapse === undefined ? undefined : table?.open().catch(() => undefined);
  await Promise.all([opened, warmUp(deps, traffic.versions)]);
  return { deps, table, failures };
}

/**
 * The description was checked when the model was packed, and is deployed in one piece with this code: checking it again
 * would cost every cold start the schema library.
 */
function readPackedModel(modelFolder: string): PackedModel {
  return readJson(join(modelFolder, PACKED_DESCRIPTION)) as PackedModel;
}

/** Each kind of predictor is loaded only where it is used: the one brings native code, the other the AWS SDK. */
async function loaderOf(
  { manifest }: PackedModel,
  { endpoint: name, modelFolder, memoryMiB }: OpenInferenceOptions,
  clock: Clock,
): Promise<LoadVersion> {
  if (manifest.compute.target === 'lambda') {
    const { openOnnxPredictor, threadsFor } = await import('../predictors/onnx-predictor.ts');
    const threads = threadsFor(memoryMiB);
    return (declared) => openOnnxPredictor({ file: join(modelFolder, declared.file), declared, threads });
  }
  if (name === undefined) throw new AppError('CONFIG_INVALID', `the model ${manifest.id} has no endpoint`);
  if (manifest.compute.mode === 'async') return async (declared) => ({ ...declared, run: refuseToWait });
  const [{ codecOf }, { openSageMakerEndpoints }, { openSageMakerPredictor }] = await Promise.all([
    import('../../../core/sagemaker/container-codec.ts'),
    import('../predictors/sagemaker-endpoints.ts'),
    import('../predictors/sagemaker-predictor.ts'),
  ]);
  const endpoints = openSageMakerEndpoints({ name, clock });
  const codec = codecOf(manifest.compute);
  return async (declared, version) => openSageMakerPredictor({ endpoints, codec, version, declared });
}

/** Who waits for an answer can have one that is in the results cache, and no other. */
async function refuseToWait(): Promise<never> {
  throw new AppError(
    'JOBS_ONLY',
    'the model may take minutes to start: send the request with Prefer: respond-async, or submit a job',
  );
}

function tokenizerOf({ manifest }: PackedModel, modelFolder: string): TextTokenizer | undefined {
  return manifest.task === 'embedding' ? openTokenizer(readJson(join(modelFolder, PACKED_TOKENIZER))) : undefined;
}

function cacheOf({ manifest }: PackedModel, table: ResultCache | undefined, clock: Clock) {
  const { store, memoryMiB, ttlSeconds } = manifest.cache;
  if (store === 'none') return undefined;
  return tiered(new MemoryResultCache({ maxBytes: memoryMiB * MIB, ttlSeconds, clock }), table);
}

/** What an endpoint computes is worth asking for, on a table that all environments share. */
async function collapseOf(
  { manifest }: PackedModel,
  { resultsTable, budgets = USUAL_BUDGETS }: OpenInferenceOptions,
  clock: Clock,
): Promise<Collapse | undefined> {
  const { compute, cache } = manifest;
  if (compute.target === 'lambda' || compute.mode === 'async' || cache.store !== 'table' || resultsTable === undefined)
    return undefined;
  const [{ Collapse }, { openDynamoDbClaims }] = await Promise.all([
    import('../results/collapse.ts'),
    import('../results/dynamodb-claims.ts'),
  ]);
  const claims = openDynamoDbClaims({ table: resultsTable, budgetMs: budgets.writeMs, clock });
  return new Collapse({ claims, clock, lifeMs: CLAIM_MS });
}

function deferredTable(
  { manifest }: PackedModel,
  { resultsTable, budgets = USUAL_BUDGETS }: OpenInferenceOptions,
  clock: Clock,
  failures: CacheFailure[],
): DeferredResultCache | undefined {
  if (manifest.cache.store !== 'table' || resultsTable === undefined) return undefined;
  const breaker = new CircuitBreaker({ ...BREAKER, clock });
  const report = (failure: CacheFailure) => failures.push(failure);
  return new DeferredResultCache({
    maxWaiting: MAX_WAITING_RESULTS,
    open: async () => {
      const { openDynamoDbResultCache } = await import('../results/dynamodb-result-cache.ts');
      const table = openDynamoDbResultCache({
        table: resultsTable,
        ttlSeconds: manifest.cache.ttlSeconds,
        connectBudgetMs: CONNECT_BUDGET_MS,
        readBudgetMs: budgets.readMs,
        writeBudgetMs: budgets.writeMs,
        clock,
      });
      const cache = failOpen(table, { breaker, report });
      await cache.get([PROBE_FINGERPRINT]);
      return cache;
    },
  });
}

/** Synchronous on purpose: nothing else can be done meanwhile, and it spares loading the module of promises. */
function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8'));
}
