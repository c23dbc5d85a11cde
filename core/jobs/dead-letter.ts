/** Message attributes of a dead letter, all of type String. */
export const DEAD_LETTER_ATTRIBUTES = {
  /** Code of the error, a key of `ERRORS`. */
  errorCode: 'errorCode',
  /** Message of the error. */
  errorMessage: 'errorMessage',
  /** URL of the queue that the message came from: for the redrive. */
  sourceQueue: 'sourceQueue',
} as const;

/**
 * Message attribute of a message that an operator redrove: the id of that redrive.
 *
 * The worker that receives it queues a failed job again (`JobStore.reopen`), once for each id.
 */
export const REDRIVE_ATTRIBUTE = 'redrive';

/** The redrive that a message belongs to. */
export interface Redrive {
  readonly id: string;
  /** When the message was sent, milliseconds since the Unix epoch. It may create the record of its job while it is new. */
  readonly sentAtMs: number;
}
