import { createHash } from 'node:crypto';
import { devNull } from 'node:os';
import { LOCAL_ACCOUNT } from '../../template/account.ts';
import { localQueueUrls } from '../../template/physical-names.ts';
import type { FunctionPlan } from '../../template/plan-functions.ts';

/** How an execution environment came to be, in the words of `AWS_LAMBDA_INITIALIZATION_TYPE`. */
export type InitializationType = 'on-demand' | 'provisioned-concurrency';

/** Properties that distinguish the execution environments of a function. */
export interface EnvironmentIdentity {
  readonly version: string;
  readonly initializationType: InitializationType;
  readonly logStream: string;
  /** Session token, by which the endpoint server distinguishes the environments of a function. */
  readonly sessionToken: string;
  /** Host and port of the Runtime API. */
  readonly runtimeApi: string;
  /** URL that stands for every AWS endpoint. */
  readonly endpointUrl: string;
}

/** Access key id that local mode gives to a function: the endpoint server knows the function's role by it. */
export function accessKeyOf(functionName: string): string {
  return `ASIA${createHash('sha256').update(functionName).digest('hex').slice(0, 16).toUpperCase()}`;
}

/**
 * Renders the environment variables that a function sees, which are those of AWS Lambda and none of this machine's.
 *
 * Beyond them: `AWS_ENDPOINT_URL`, by which the AWS SDK finds the local services, and what keeps the SDK away from this
 * machine's own AWS settings.
 */
export function environmentVariables(plan: FunctionPlan, identity: EnvironmentIdentity): Record<string, string> {
  return {
    AWS_ENDPOINT_URL: identity.endpointUrl,
    AWS_CONFIG_FILE: devNull,
    AWS_SHARED_CREDENTIALS_FILE: devNull,
    AWS_EC2_METADATA_DISABLED: 'true',
    ...withLocalQueues(plan.environment, identity.endpointUrl),
    ...inherited('PATH', 'SystemRoot'),
    LANG: 'en_US.UTF-8',
    TZ: ':UTC',
    _HANDLER: plan.handler,
    LAMBDA_TASK_ROOT: plan.taskRoot,
    LAMBDA_RUNTIME_DIR: '/var/runtime',
    AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
    AWS_REGION: LOCAL_ACCOUNT.region,
    AWS_DEFAULT_REGION: LOCAL_ACCOUNT.region,
    AWS_ACCESS_KEY_ID: accessKeyOf(plan.name),
    AWS_SECRET_ACCESS_KEY: 'local',
    AWS_SESSION_TOKEN: identity.sessionToken,
    AWS_LAMBDA_FUNCTION_NAME: plan.name,
    AWS_LAMBDA_FUNCTION_VERSION: identity.version,
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(plan.memoryMiB),
    AWS_LAMBDA_INITIALIZATION_TYPE: identity.initializationType,
    AWS_LAMBDA_LOG_GROUP_NAME: plan.logGroup,
    AWS_LAMBDA_LOG_STREAM_NAME: identity.logStream,
    AWS_LAMBDA_RUNTIME_API: identity.runtimeApi,
  };
}

/** A queue is known by its URL, and the port in that is not known before local mode runs. */
function withLocalQueues(variables: Readonly<Record<string, string>>, endpointUrl: string): Record<string, string> {
  return Object.fromEntries(
    Object.entries(variables).map(([name, value]) => [name, localQueueUrls(value, endpointUrl)]),
  );
}

function inherited(...names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );
}
