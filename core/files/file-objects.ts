/** Some bytes of an object. */
export interface ObjectSlice {
  readonly bytes: Uint8Array;
  /** Bytes of the whole object. */
  readonly total: number;
}

/** The bytes of files in the payload bucket, and the pieces that they are made of. */
export interface FileObjects {
  /** Name of the bucket. */
  readonly bucket: string;
  /** @returns Bytes of an object; undefined when there is none. */
  size(key: string): Promise<number | undefined>;
  /**
   * Reads a part of an object.
   *
   * @param end - Byte after the last; beyond the end of the object it means that end.
   * @returns Undefined when there is no such object.
   */
  read(key: string, start: number, end: number): Promise<ObjectSlice | undefined>;
  /** Writes a whole object. */
  write(key: string, bytes: Uint8Array, contentType: string): Promise<void>;
  /** @returns Id of a new multipart upload. */
  begin(key: string, contentType: string): Promise<string>;
  /** @returns The part's entity tag; undefined when there is no such upload any more. */
  writePart(key: string, uploadId: string, number: number, bytes: Uint8Array): Promise<string | undefined>;
  /**
   * Makes one object of the parts.
   *
   * @returns `gone`: there is no such upload any more; `stale`: a part is not the one that the tag names.
   */
  complete(key: string, uploadId: string, tags: readonly string[]): Promise<'done' | 'gone' | 'stale'>;
  /** Gives a multipart upload up; one that is not there is no error. */
  abort(key: string, uploadId: string): Promise<void>;
  /** Deletes an object; one that is not there is no error. */
  remove(key: string): Promise<void>;
  /**
   * Deletes all objects whose keys start with a prefix.
   *
   * @param notAfterMs - Only objects that were written until then, milliseconds since the Unix epoch. Defaults to all.
   */
  removeAll(prefix: string, notAfterMs?: number): Promise<void>;
  /** Address that takes exactly so many bytes, once or more, until it expires. */
  presignPut(key: string, options: { readonly bytes: number; readonly expiresSeconds: number }): Promise<string>;
}
