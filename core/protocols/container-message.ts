/** A request to a container, or its response. */
export interface ContainerMessage {
  /** Its media type. */
  readonly contentType: string;
  readonly body: Uint8Array;
}
