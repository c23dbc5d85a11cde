import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../../core/clock.ts';
import { AppError } from '../../../core/errors.ts';
import { PACKED_DESCRIPTION } from '../../../core/models/packed-files.ts';
import type { PackedModel } from '../../../core/models/packed-model.ts';
import { loadTask } from '../../../core/tasks/task-loaders.ts';
import { manifestTraffic } from '../../../core/traffic/traffic.ts';
import { fixedTraffic } from '../../../core/traffic/traffic-source.ts';
import { openPreprocessors } from '../preprocessors/open-preprocessors.ts';
import type { Collapse } from '../results/collapse.ts';
import { MemoryResultCache } from '../results/memory-result-cache.ts';
import { type CacheFailure, type ConnectedResultCache, ResultsCache } from '../results/results-cache.ts';
import { systemClock, systemTimer } from '../system-clock.ts';
import type { InferenceDeps } from './inference.ts';
import { type LoadVersion, ModelVersions } from './model-versions.ts';
import { warmUp } from './warm-up.ts';

/** Time limits of a request to the results table: computing a cheap result is quicker than a slow lookup. */
const USUAL_BUDGETS: TableBudgets = { readMs: 25, writeMs: 50 };

/** Time limit for the connection to the results table; it is made while the model loads. */
const CONNECT_BUDGET_MS = 100;

/** Maximum time for which other environments wait for a result: ten times the usual time of an endpoint. */
const CLAIM_MS = 5000;

const MIB = 1024 * 1024;

/** Options of {@link openInference}. */
export interface OpenInferenceOptions {
  /** Folder of the packed model. */
  readonly modelFolder: string;
  /** Name of the DynamoDB results table; absent if the model does not use it. */
  readonly resultsTable: string | undefined;
  /** Memory of the function; decides how many threads the model gets. */
  readonly memoryMiB: number;
  /** Name of the SageMaker endpoint that runs the model; absent if the function runs the model itself. */
  readonly endpoint: string | undefined;
  /** Time limits of the results table. The defaults suit synchronous requests. */
  readonly budgets?: TableBudgets;
}

/** Time limits of the results table, in milliseconds. */
export interface TableBudgets {
  readonly readMs: number;
  readonly writeMs: number;
}

/** A model that is ready for requests. */
export interface Inference {
  readonly deps: InferenceDeps;
  /** Returns the failures of the results cache since the last call. */
  readonly takeCacheFailures: () => readonly CacheFailure[];
}

/**
 * Opens the packed model, its task and preprocessors, the sessions of the versions with traffic and the caches, and runs
 * the model once.
 *
 * @throws AppError `ONNX_INVALID` when the packed model cannot be used, `CONFIG_INVALID` when it runs on an endpoint and
 * none is named.
 */
export async function openInference(options: OpenInferenceOptions): Promise<Inference> {
  const { modelFolder } = options;
  const packed = readPackedModel(modelFolder);
  // Its files are read while the table's client and the runtime load.
  const loadingTask = loadTask(packed.manifest.task);
  const clock = systemClock;
  const traffic = manifestTraffic(packed.manifest);
  const table = await openTable(packed, options, clock);
  const cache = cacheOf(packed, table?.cache, clock);
  // The handshake takes place while the model loads. A table that cannot be reached is reported with the first request.
  const connected = cache?.connect();
  const versions = new ModelVersions(packed, await loaderOf(packed, options, clock));
  const task = await loadingTask;
  const deps: InferenceDeps = {
    packed,
    versions,
    traffic: fixedTraffic(traffic),
    task,
    ports: await openPreprocessors(task.preprocessors, modelFolder),
    cache,
    collapse: table?.collapse,
    clock,
    timer: systemTimer,
  };
  await Promise.all([connected, warmUp(deps, traffic.versions)]);
  return { deps, takeCacheFailures: () => cache?.takeFailures() ?? [] };
}

/**
 * The description was checked when the model was packed, and is deployed in one piece with this code: checking it again
 * would cost every cold start the schema library.
 */
function readPackedModel(modelFolder: string): PackedModel {
  return readJson(join(modelFolder, PACKED_DESCRIPTION)) as PackedModel;
}

/** Loads only the predictor that the model uses, because one loads native code and the other the AWS SDK. */
async function loaderOf(
  { manifest, versions }: PackedModel,
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
  const readsText = Object.values(versions).some(({ inputs }) => inputs.some(({ datatype }) => datatype === 'BYTES'));
  const endpoints = openSageMakerEndpoints({ name, clock, readsText });
  const codec = codecOf(manifest.compute);
  return async (declared, version) => openSageMakerPredictor({ endpoints, codec, version, declared });
}

/** Refuses a synchronous request whose result is not in the results cache. */
async function refuseToWait(): Promise<never> {
  throw new AppError(
    'JOBS_ONLY',
    'the model may take minutes to start: send the request with Prefer: respond-async, or submit a job',
  );
}

function cacheOf({ manifest }: PackedModel, table: ConnectedResultCache | undefined, clock: Clock) {
  const { store, memoryMiB, ttlSeconds } = manifest.cache;
  if (store === 'none') return undefined;
  const memory = new MemoryResultCache({ maxBytes: memoryMiB * MIB, ttlSeconds, clock });
  return new ResultsCache({ memory, table, clock });
}

/** The results table of a model that uses one, and what shares its client. The code is loaded for such models only. */
async function openTable(
  { manifest }: PackedModel,
  { resultsTable: table, budgets = USUAL_BUDGETS }: OpenInferenceOptions,
  clock: Clock,
): Promise<{ readonly cache: ConnectedResultCache; readonly collapse?: Collapse } | undefined> {
  const { compute, cache: settings } = manifest;
  if (settings.store !== 'table' || table === undefined) return undefined;
  const [{ dynamoDbSettings, openDynamoDb }, { openDynamoDbResultCache }] = await Promise.all([
    import('../aws/dynamodb.ts'),
    import('../results/dynamodb-result-cache.ts'),
  ]);
  const dynamoDb = openDynamoDb(() => dynamoDbSettings(process.env));
  const cache = openDynamoDbResultCache({
    dynamoDb,
    table,
    clock,
    ttlSeconds: settings.ttlSeconds,
    connectBudgetMs: CONNECT_BUDGET_MS,
    readBudgetMs: budgets.readMs,
    writeBudgetMs: budgets.writeMs,
  });
  // A result of an endpoint is worth the wait for another environment that computes it.
  if (compute.target === 'lambda' || compute.mode === 'async') return { cache };
  const [{ Collapse }, { openDynamoDbClaims }] = await Promise.all([
    import('../results/collapse.ts'),
    import('../results/dynamodb-claims.ts'),
  ]);
  const claims = openDynamoDbClaims({ dynamoDb, table, budgetMs: budgets.writeMs, clock });
  return { cache, collapse: new Collapse({ claims, clock, lifeMs: CLAIM_MS }) };
}

/** Synchronous on purpose: no other work is possible here, and the module of promises need not be loaded. */
function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8'));
}
