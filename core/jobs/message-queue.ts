/** Sends messages to one queue. */
export interface MessageQueue {
  /** @param options - Delay in seconds, at most 900. */
  send(message: object, options?: { readonly delaySeconds?: number }): Promise<void>;
  /**
   * Sends many messages, ten at a time.
   *
   * @throws AppError `UNAVAILABLE` when a message could not be sent.
   */
  sendAll(messages: readonly object[]): Promise<void>;
}
