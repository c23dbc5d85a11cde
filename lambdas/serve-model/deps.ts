import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import { modelFunctionParameter } from '../../core/functions/deployed-names.ts';
import type { SERVE_MODEL_SETTINGS } from '../../core/functions/functions.ts';
import { type SettingsOf, variableOf } from '../../core/functions/settings.ts';
import type { Forward } from '../shared/http/lambda-forwarder.ts';
import { openInference } from '../shared/inference/open-inference.ts';
import type { JobSubmitter } from '../shared/jobs/open-submission.ts';
import { lazily } from '../shared/resilience/lazily.ts';
import { writeLine } from '../shared/telemetry/write-line.ts';
import type { ServeModelDeps } from './handler.ts';

/** Set in deployments that have jobs. */
const JOBS_VARIABLE = variableOf('jobsTable');

/** Settings of {@link openDeps}. */
export interface OpenDepsOptions {
  /** Folder of the packed model. */
  readonly modelFolder: string;
  readonly environment: SettingsOf<typeof SERVE_MODEL_SETTINGS>;
  /** Environment variables: those of jobs are read when the first one is submitted. */
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** Memory of the function; decides how many threads the model gets. */
  readonly memoryMiB: number;
}

/**
 * Opens the dependencies of a request: the packed model, the sessions of the versions with traffic, the tokenizer, the
 * caches. Clients that few requests need are opened by the first request that needs them.
 *
 * @throws AppError `ONNX_INVALID` when the packed model cannot be used.
 */
export async function openDeps(options: OpenDepsOptions): Promise<ServeModelDeps> {
  const { environment, memoryMiB, modelFolder } = options;
  const { resultsTable, endpoint } = environment;
  const { deps, takeCacheFailures } = await openInference({ modelFolder, resultsTable, memoryMiB, endpoint });
  return {
    ...deps,
    environment,
    forward: lazyForward(environment.functionsPath, deps.clock),
    ...(options.variables[JOBS_VARIABLE] === undefined ? {} : { submission: lazySubmission(options, deps.clock) }),
    write: writeLine,
    takeCacheFailures,
  };
}

/** Opens job submission on the first request that submits a job. */
function lazySubmission({ variables }: OpenDepsOptions, clock: Clock): () => Promise<JobSubmitter> {
  return lazily(async () => {
    const { openSubmission } = await import('../shared/jobs/open-submission.ts');
    return openSubmission(variables, clock);
  });
}

/** Opens the Lambda client on the first request for another model, and looks up the function of each model once. */
function lazyForward(functionsPath: string | undefined, clock: Clock): Forward {
  const open = lazily(async () => {
    const [{ openLambdaForwarder }, { openDeployedNames }] = await Promise.all([
      import('../shared/http/lambda-forwarder.ts'),
      import('../shared/aws/deployed-names.ts'),
    ]);
    return { forward: openLambdaForwarder(), names: openDeployedNames({ clock }) };
  });
  return async (model, event) => {
    const { forward, names } = await open();
    const arn = functionsPath && (await names(modelFunctionParameter(functionsPath, model)));
    if (arn === undefined) throw new AppError('UNAVAILABLE', 'the function of the model is not deployed yet');
    return forward(arn, event);
  };
}
