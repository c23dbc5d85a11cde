import { AppError } from '../errors.ts';
import { jsonOrUndefined } from '../json/json.ts';

/** Settings of a serve-model function that only the deployment knows; the rest is in the packed model. */
export interface ServeModelEnvironment {
  /** Name of the DynamoDB results table; absent where the model does not use it. */
  readonly resultsTable?: string;
  /** Name of the SageMaker endpoint that runs the model; absent where the function runs it itself. */
  readonly endpoint?: string;
  /**
   * Functions of the other embedding models by model id, for requests to the shared OpenAI route that name them.
   * Values are what Lambda's Invoke takes: an ARN of the alias.
   */
  readonly siblings: Readonly<Record<string, string>>;
  /** Namespace of the CloudWatch metrics. */
  readonly metricsNamespace: string;
  /** Name of the stage, a dimension of the metrics. */
  readonly stage: string;
}

/** Turns the settings into environment variables. */
export function renderServeModelEnvironment(environment: ServeModelEnvironment): Record<string, string> {
  return {
    ...(environment.resultsTable === undefined ? {} : { TENSORGATE_RESULTS_TABLE: environment.resultsTable }),
    ...(environment.endpoint === undefined ? {} : { TENSORGATE_ENDPOINT: environment.endpoint }),
    ...(Object.keys(environment.siblings).length === 0
      ? {}
      : { TENSORGATE_SIBLINGS: JSON.stringify(environment.siblings) }),
    TENSORGATE_METRICS_NAMESPACE: environment.metricsNamespace,
    TENSORGATE_STAGE: environment.stage,
    ORT_DISABLE_TELEMETRY: '1',
  };
}

/**
 * Reads the settings back from environment variables.
 *
 * @throws AppError `CONFIG_INVALID` when a variable is missing or malformed.
 */
export function parseServeModelEnvironment(
  variables: Readonly<Record<string, string | undefined>>,
): ServeModelEnvironment {
  const {
    TENSORGATE_RESULTS_TABLE: resultsTable,
    TENSORGATE_ENDPOINT: endpoint,
    TENSORGATE_SIBLINGS: siblings,
  } = variables;
  return {
    ...(resultsTable === undefined ? {} : { resultsTable }),
    ...(endpoint === undefined ? {} : { endpoint }),
    siblings: siblings === undefined ? {} : parseSiblings(siblings),
    metricsNamespace: required(variables, 'TENSORGATE_METRICS_NAMESPACE'),
    stage: required(variables, 'TENSORGATE_STAGE'),
  };
}

function required(variables: Readonly<Record<string, string | undefined>>, name: string): string {
  const value = variables[name];
  if (value === undefined) throw new AppError('CONFIG_INVALID', `environment variable ${name} is not set`);
  return value;
}

function parseSiblings(value: string): Record<string, string> {
  const siblings = jsonOrUndefined(value);
  if (!isRecordOfStrings(siblings)) {
    throw new AppError('CONFIG_INVALID', 'environment variable TENSORGATE_SIBLINGS is not a JSON object of strings');
  }
  return siblings;
}

function isRecordOfStrings(value: unknown): value is Record<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((member) => typeof member === 'string');
}
