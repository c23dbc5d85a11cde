/** Stores large bytes in S3. */
export interface PayloadStore {
  /** Bucket of the deployment's own payloads. */
  readonly bucket: string;
  put(key: string, body: Uint8Array | string, contentType: string): Promise<void>;
  /**
   * Reads an object or a part of one.
   *
   * @param range - First byte, and the byte after the last.
   * @throws AppError `INPUT_NOT_FOUND` when the object does not exist, `INPUT_FORBIDDEN` when it may not be read,
   * `BODY_TOO_LARGE` when it is larger than `maxBytes`.
   */
  get(
    reference: { readonly bucket: string; readonly key: string },
    options: { readonly maxBytes: number; readonly range?: readonly [start: number, end: number] },
  ): Promise<Uint8Array>;
  /** Whether the object exists. */
  has(reference: { readonly bucket: string; readonly key: string }): Promise<boolean>;
  /** Creates a URL that grants read access to the object until it expires. */
  presignGet(key: string, options: { readonly expiresSeconds: number; readonly fileName?: string }): Promise<string>;
}
