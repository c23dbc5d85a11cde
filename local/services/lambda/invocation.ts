/** Largest payload of a synchronous invocation, in bytes. */
export const MAX_REQUEST_BYTES = 6_291_456;

/** Largest result of a synchronous invocation, in bytes. */
export const MAX_RESPONSE_BYTES = 6_291_556;

/** An error as a function's caller sees it. */
export interface FunctionError {
  readonly errorType: string;
  readonly errorMessage: string;
  readonly trace?: readonly string[];
}

/** Result of an invocation in an execution environment: the handler's result, or the error as JSON. */
export interface EnvironmentOutcome {
  readonly kind: 'responded' | 'failed';
  readonly payload: Buffer;
  /** How the environment was lost, if it was. */
  readonly crash?: Crash;
}

/** How an execution environment was lost: killed at the deadline, or ended by itself. */
export type Crash = 'timeout' | 'error';

/** How an invocation ended, as the Lambda service sees it. */
export type InvocationOutcome =
  | EnvironmentOutcome
  | { readonly kind: 'throttled'; readonly reason: string; readonly message: string }
  | { readonly kind: 'too-large'; readonly bytes: number }
  | { readonly kind: 'not-found'; readonly functionArn: string };

/** An outcome and its circumstances. */
export interface InvocationResult {
  readonly outcome: InvocationOutcome;
  readonly requestId: string;
  /** Version that ran. */
  readonly version: string;
  /** Whether an execution environment had to be started for it. */
  readonly coldStart: boolean;
  /** Time in the handler, in milliseconds; zero when it never got there. */
  readonly durationMs: number;
}

/** Creates a failed outcome; `crash` says that the environment is lost as well. */
export function failed(error: FunctionError, crash?: Crash): EnvironmentOutcome {
  return { kind: 'failed', payload: Buffer.from(JSON.stringify(error)), crash };
}

/** Reads the error of a failed outcome. A payload that is not an error object becomes the message. */
export function errorOf(payload: Buffer): FunctionError {
  const text = payload.toString();
  try {
    const { errorType = 'Unknown', errorMessage = '' } = JSON.parse(text) as Partial<FunctionError>;
    return { errorType, errorMessage };
  } catch {
    return { errorType: 'Unknown', errorMessage: text };
  }
}
