import type { Clock } from '../../core/clock.ts';
import type { SERVE_MODEL_SETTINGS } from '../../core/functions/functions.ts';
import { type SettingsOf, variableOf } from '../../core/functions/settings.ts';
import type { Forward } from '../shared/http/lambda-forwarder.ts';
import { openInference } from '../shared/inference/open-inference.ts';
import type { Submission } from '../shared/jobs/open-submission.ts';
import { lazily } from '../shared/resilience/lazily.ts';
import type { DeferredResultCache } from '../shared/results/deferred-result-cache.ts';
import type { CacheFailure } from '../shared/results/fail-open-result-cache.ts';
import type { ServeModelDeps } from './handler.ts';

/** How long after the first answer the table's client is loaded. */
const BEHIND_ANSWER_MS = 5;

/** There where the deployment has jobs. */
const JOBS_VARIABLE = variableOf('jobsTable');

/** Where {@link openDeps} finds things. */
export interface OpenDepsOptions {
  /** Folder of the packed model. */
  readonly modelFolder: string;
  readonly environment: SettingsOf<typeof SERVE_MODEL_SETTINGS>;
  /** Environment variables: those of jobs are read when the first one is submitted. */
  readonly variables: Readonly<Record<string, string | undefined>>;
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
  const { resultsTable, endpoint } = environment;
  const { deps, table, failures } = await openInference({ modelFolder, resultsTable, memoryMiB, endpoint });
  if (isProvisioned) await table?.open();
  return {
    ...deps,
    environment,
    forward: lazyForward(),
    ...(options.variables[JOBS_VARIABLE] === undefined ? {} : { submission: lazySubmission(options, deps.clock) }),
    write: (line) => process.stdout.write(`${line}\n`),
    takeCacheFailures: () => failures.splice(0),
    onAnswered: () => openBehindAnswer(table, failures),
  };
}

/** The timer gives the runtime time to send the answer: loading the client holds the thread for tens of milliseconds. */
function openBehindAnswer(table: DeferredResultCache | undefined, failures: CacheFailure[]): void {
  if (table === undefined || table.isOpening) return;
  const open = () => table.open().catch(() => failures.push({ operation: 'read', reason: 'ClientNotLoaded' }));
  setTimeout(open, BEHIND_ANSWER_MS).unref();
}

/** Opens job submission on the first request that asks for a job. */
function lazySubmission({ variables }: OpenDepsOptions, clock: Clock): () => Promise<Submission> {
  return lazily(async () => {
    const { openSubmission } = await import('../shared/jobs/open-submission.ts');
    return openSubmission(variables, clock);
  });
}

/** Opens the Lambda client on the first request for another model. */
function lazyForward(): Forward {
  const forward = lazily(async () => {
    const { openLambdaForwarder } = await import('../shared/http/lambda-forwarder.ts');
    return openLambdaForwarder();
  });
  return async (target, event) => (await forward())(target, event);
}
