/** A call of a function to an AWS service. */
export interface ObservedCall {
  /** Permission that it needs: `dynamodb:UpdateItem`. */
  readonly action: string;
  /** Name of the function that makes it. */
  readonly functionName: string;
}

/** A permission that a call of a function needs. */
export interface ObservedPermission extends ObservedCall {
  /** ARN of the resource. */
  readonly resource: string;
}

/**
 * A fault of a call:
 *
 * - `fail`: an error before the service does anything.
 * - `fail-after`: an error after it has done everything.
 * - `throttle`: the service's own error for too many requests.
 * - `partial`: the service does half of a batch, and returns the rest as unprocessed. Other calls succeed.
 * - `hang`: silence until the caller gives up. The service does everything then.
 * - `kill`, `kill-after`: the caller's execution environment is killed before the service does anything, or after it has done
 *   everything.
 * - `stall`: the caller's execution environment stops before the service does anything, and the invocation times out. That
 *   comes soon, whatever the timeout is. On Windows it works on until then.
 *
 * The connection of a call ends with `kill`, `kill-after` and `stall`. That is all that happens if the call is made by a
 * presigned URL, because its bearer is not the function that signed.
 */
export type CallFault = 'fail' | 'fail-after' | 'throttle' | 'partial' | 'hang' | 'kill' | 'kill-after' | 'stall';

/** Execution environments, by ids that are the session tokens of their calls. */
export interface FaultyEnvironments {
  /** Kills an environment. */
  kill(environmentId: string): void;
  /** Stops an environment. Its invocation times out soon. */
  stall(environmentId: string): void;
}

/** A batch of messages on its way to a function. */
export interface ObservedDelivery {
  readonly queueArn: string;
  readonly functionArn: string;
  readonly count: number;
}

/** A fault of a delivery; the function receives the messages all the same. */
export interface DeliveryFault {
  /** Delay in milliseconds. */
  readonly delayMs?: number;
  /** Whether the same messages are delivered a second time, concurrently. */
  readonly isRepeated?: boolean;
  /** The messages wait for this before they are delivered. */
  readonly heldUntil?: Promise<void> | undefined;
}

/** Injects the faults of a distributed system, for tests. It is called for each call and each delivery. */
export interface LocalFaults {
  onCall?(call: ObservedCall): CallFault | undefined;
  /** Called for each permission that a call needs and has. */
  onPermission?(permission: ObservedPermission): void;
  onDelivery?(delivery: ObservedDelivery): DeliveryFault | undefined;
}
