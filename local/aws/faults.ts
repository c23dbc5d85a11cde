/** A call of a function to an AWS service. */
export interface ObservedCall {
  /** Permission that it needs: `dynamodb:UpdateItem`. */
  readonly action: string;
  /** Name of the function that makes it. */
  readonly functionName: string;
}

/**
 * What becomes of a call: nothing unusual; an error of the service before it did anything, or after it did everything;
 * silence until the caller gives up.
 */
export type CallFault = 'fail' | 'fail-after' | 'hang';

/** A batch of messages on its way to a function. */
export interface ObservedDelivery {
  readonly queueArn: string;
  readonly functionArn: string;
  readonly count: number;
}

/** What becomes of a delivery beside that the function gets it. */
export interface DeliveryFault {
  /** How much later it comes, in milliseconds. */
  readonly delayMs?: number;
  /** Whether the same messages are delivered once more, at the same time. */
  readonly isRepeated?: boolean;
}

/** Faults that a distributed system has, for tests that want to see them survived. Asked about everything; decides. */
export interface LocalFaults {
  onCall?(call: ObservedCall): CallFault | undefined;
  onDelivery?(delivery: ObservedDelivery): DeliveryFault | undefined;
}
