/** A message of one tenant. */
export interface OwnedMessage {
  /** Tenant whose work it is. The queue is shared fairly among tenants. */
  readonly owner: string;
}

/** Sends messages to one queue. */
export interface MessageQueue {
  /** @param options - Delay in seconds, at most 900. */
  send<M extends OwnedMessage>(message: M, options?: { readonly delaySeconds?: number }): Promise<void>;
  /**
   * Sends many messages, ten at a time.
   *
   * @throws AppError `UNAVAILABLE` when a message could not be sent.
   */
  sendAll<M extends OwnedMessage>(messages: readonly M[]): Promise<void>;
}
