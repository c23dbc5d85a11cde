import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PACKED_DESCRIPTION, PACKED_TOKENIZER } from '../../core/packed-files.ts';
import type { PackedModel } from '../../core/packed-model.ts';
import type { Clock, ResultCache, TextTokenizer } from '../../core/ports.ts';
import type { ServeModelEnvironment } from '../../core/serve-model-environment.ts';
import { trafficOf } from '../../core/traffic.ts';
import { CircuitBreaker } from '../shared/circuit-breaker.ts';
import { DeferredResultCache } from '../shared/deferred-result-cache.ts';
import { type CacheFailure, failOpen } from '../shared/fail-open-result-cache.ts';
import type { Forward } from '../shared/lambda-forwarder.ts';
import { MemoryResultCache } from '../shared/memory-result-cache.ts';
import { openOnnxPredictor, threadsFor } from '../shared/onnx-predictor.ts';
import { tiered } from '../shared/tiered-result-cache.ts';
import { openTokenizer } from '../shared/tokenizer.ts';
import type { ServeModelDeps } from './handler.ts';
import { ModelVersions } from './model-versions.ts';
import { warmUp } from './warm-up.ts';

/** Time that the table may take: a cheap model answers sooner than a slow look-up. */
const READ_BUDGET_MS = 25;
const WRITE_BUDGET_MS = 50;

/** Time for the first connection and what waited for it; no request waits for that. */
const CONNECT_BUDGET_MS = 1000;

/** How long after the first answer the table's client is loaded. */
const BEHIND_ANSWER_MS = 5;

/** Failures in a row after which the table is left alone, and for how long. */
const BREAKER = { failures: 3, openMs: 30_000 };

/** Most results that wait for the table's client to be loaded. */
const MAX_WAITING_RESULTS = 1000;

/** A key that no result has: reading it makes the first connection. */
const PROBE_FINGERPRINT = 'connect';

const MIB = 1024 * 1024;

/** Where {@link openDeps} finds things. */
export interface OpenDepsOptions {
  /** Folder of the packed model. */
  readonly modelFolder: string;
  readonly environment: ServeModelEnvironment;
  /** Memory of the function; decides how many threads the model gets. */
  readonly memoryMiB: number;
  /** Whether the environment is initialized ahead of traffic: then all that is slow happens now. */
  readonly isProvisioned: boolean;
}

/**
 * Opens all that a request needs: the packed model, the sessions of the versions with traffic, the tokenizer, the
 * caches. The AWS SDK is loaded behind the first answer, for it takes longer than all the rest.
 *
 * @throws AppError `ONNX_INVALID` when the packed model cannot be used.
 */
export async function openDeps(options: OpenDepsOptions): Promise<ServeModelDeps> {
  const { environment, memoryMiB, modelFolder, isProvisioned } = options;
  const packed = readPackedModel(modelFolder);
  const threads = threadsFor(memoryMiB);
  const versions = new ModelVersions(packed, (declared) =>
    openOnnxPredictor({ file: join(modelFolder, declared.file), declared, threads }),
  );
  const clock: Clock = { now: () => Date.now() };
  const failures: CacheFailure[] = [];
  const table = deferredTable(packed, environment, clock, failures);
  const deps: ServeModelDeps = {
    packed,
    environment,
    versions,
    tokenizer: tokenizerOf(packed, modelFolder),
    cache: cacheOf(packed, table, clock),
    forward: lazyForward(),
    clock,
    timer: () => performance.now(),
    write: (line) => process.stdout.write(`${line}\n`),
    takeCacheFailures: () => failures.splice(0),
    onAnswered: () => openBehindAnswer(table, failures),
  };
  await warmUp(deps, servedVersions(packed));
  if (isProvisioned) await table?.open();
  return deps;
}

/**
 * The description was checked when the model was packed, and is deployed in one piece with this code: checking it again
 * would cost every cold start the schema library.
 */
function readPackedModel(modelFolder: string): PackedModel {
  return readJson(join(modelFolder, PACKED_DESCRIPTION)) as PackedModel;
}

function servedVersions({ manifest }: PackedModel): string[] {
  const traffic = trafficOf(manifest);
  return Object.keys(traffic).filter((name) => (traffic[name] ?? 0) > 0);
}

function tokenizerOf({ manifest }: PackedModel, modelFolder: string): TextTokenizer | undefined {
  return manifest.task === 'embedding' ? openTokenizer(readJson(join(modelFolder, PACKED_TOKENIZER))) : undefined;
}

function cacheOf({ manifest }: PackedModel, table: ResultCache | undefined, clock: Clock) {
  const { store, memoryMiB, ttlSeconds } = manifest.cache;
  if (store === 'none') return undefined;
  return tiered(new MemoryResultCache({ maxBytes: memoryMiB * MIB, ttlSeconds, clock }), table);
}

function deferredTable(
  { manifest }: PackedModel,
  { resultsTable }: ServeModelEnvironment,
  clock: Clock,
  failures: CacheFailure[],
): DeferredResultCache | undefined {
  if (manifest.cache.store !== 'table' || resultsTable === undefined) return undefined;
  const breaker = new CircuitBreaker({ ...BREAKER, clock });
  const report = (failure: CacheFailure) => failures.push(failure);
  return new DeferredResultCache({
    maxWaiting: MAX_WAITING_RESULTS,
    open: async () => {
      const { openDynamoDbResultCache } = await import('../shared/dynamodb-result-cache.ts');
      const table = openDynamoDbResultCache({
        table: resultsTable,
        ttlSeconds: manifest.cache.ttlSeconds,
        connectBudgetMs: CONNECT_BUDGET_MS,
        readBudgetMs: READ_BUDGET_MS,
        writeBudgetMs: WRITE_BUDGET_MS,
        clock,
      });
      const cache = failOpen(table, { breaker, report });
      await cache.get([PROBE_FINGERPRINT]);
      return cache;
    },
  });
}

/** The timer gives the runtime time to send the answer: loading the client holds the thread for tens of milliseconds. */
function openBehindAnswer(table: DeferredResultCache | undefined, failures: CacheFailure[]): void {
  if (table === undefined || table.isOpening) return;
  const open = () => table.open().catch(() => failures.push({ operation: 'read', reason: 'ClientNotLoaded' }));
  setTimeout(open, BEHIND_ANSWER_MS).unref();
}

function lazyForward(): Forward {
  let opening: Promise<Forward> | undefined;
  return async (target, event) => {
    opening ??= import('../shared/lambda-forwarder.ts').then(({ openLambdaForwarder }) => openLambdaForwarder());
    return (await opening)(target, event);
  };
}

/** Synchronous on purpose: nothing else can be done meanwhile, and it spares loading the module of promises. */
function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8'));
}
