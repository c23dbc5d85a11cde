/** Message attributes of a dead letter, all of type String. */
export const DEAD_LETTER_ATTRIBUTES = {
  /** Code of the error, a key of `ERRORS`. */
  errorCode: 'errorCode',
  /** What was wrong, in words. */
  errorMessage: 'errorMessage',
  /** URL of the queue that the message came from: where to put it back to. */
  sourceQueue: 'sourceQueue',
} as const;

/**
 * Message attribute of a message that an operator put back: the id of that redrive.
 *
 * The worker that receives it lets a failed job wait again (`JobStore.reopen`), once for each id.
 */
export const REDRIVE_ATTRIBUTE = 'redrive';
