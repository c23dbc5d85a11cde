/** A call of a function to an AWS service. */
export interface ObservedCall {
  /** Permission that it needs: `dynamodb:UpdateItem`. */
  readonly action: string;
  /** Name of the function that makes it. */
  readonly functionName: string;
}

/**
 * A fault of a call: `fail` is an error before the service does anything, `fail-after` an error after it has done everything,
 * `hang` is silence until the caller gives up.
 */
export type CallFault = 'fail' | 'fail-after' | 'hang';

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
}

/** Injects the faults of a distributed system, for tests. It is called for each call and each delivery. */
export interface LocalFaults {
  onCall?(call: ObservedCall): CallFault | undefined;
  onDelivery?(delivery: ObservedDelivery): DeliveryFault | undefined;
}
