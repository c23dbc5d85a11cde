import { randomUUID } from 'node:crypto';
import { type Clock, DAY_MS } from '../../../core/clock.ts';
import type { BucketPlan } from '../../template/plan-buckets.ts';
import type { Checksum, ChecksumAlgorithm } from './checksums.ts';
import type { StoredBytes } from './object-files.ts';
import { S3Error } from './s3-error.ts';

/** An object, as it was written; a later write makes another one. */
export interface StoredObject {
  readonly bytes: StoredBytes;
  /** Without quotes. */
  readonly etag: string;
  readonly lastModifiedMs: number;
  /** Headers of the response to a read: content type, `x-amz-meta-…`. */
  readonly headers: Readonly<Record<string, string>>;
  readonly checksum: Checksum | undefined;
}

/** One part of an upload that is not completed. */
export interface StoredPart {
  readonly bytes: StoredBytes;
  readonly md5: Buffer;
  readonly lastModifiedMs: number;
  readonly checksum: Checksum | undefined;
}

/** An upload in parts that is not completed. */
export interface StoredUpload {
  readonly id: string;
  readonly key: string;
  readonly initiatedMs: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Checksum that was chosen for the whole; each part needs it then. */
  readonly algorithm: ChecksumAlgorithm | undefined;
  readonly parts: Map<number, StoredPart>;
}

/** An object's headers, bytes and sums, before it has its time. */
export type NewObject = Omit<StoredObject, 'lastModifiedMs'>;

/** One bucket: its objects and uploads, those left out whose time is over. */
export class Bucket {
  readonly plan: BucketPlan;
  readonly createdAtMs: number;
  readonly #clock: Clock;
  readonly #objects = new Map<string, StoredObject>();
  readonly #uploads = new Map<string, StoredUpload>();

  constructor(plan: BucketPlan, clock: Clock) {
    this.plan = plan;
    this.createdAtMs = clock.now();
    this.#clock = clock;
  }

  /** Finds an object; nothing when there is none, or its time is over. */
  find(key: string): StoredObject | undefined {
    const object = this.#objects.get(key);
    return object === undefined || this.#isExpired(key, object) ? undefined : object;
  }

  /** Stores an object, and replaces an existing one. */
  async put(key: string, object: NewObject): Promise<StoredObject> {
    const before = this.#objects.get(key);
    const stored = { ...object, lastModifiedMs: this.#clock.now() };
    this.#objects.set(key, stored);
    await before?.bytes.drop();
    return stored;
  }

  /** Deletes an object, if there is one. */
  async delete(key: string): Promise<void> {
    const object = this.#objects.get(key);
    this.#objects.delete(key);
    await object?.bytes.drop();
  }

  /** Lists keys that start with a prefix, in the order of their UTF-8. */
  keys(prefix: string): string[] {
    const keys = [...this.#objects].flatMap(([key, object]) =>
      key.startsWith(prefix) && !this.#isExpired(key, object) ? [key] : [],
    );
    return keys.toSorted(compareUtf8);
  }

  /** Begins an upload in parts. */
  beginUpload(key: string, details: Pick<StoredUpload, 'headers' | 'algorithm'>): StoredUpload {
    const id = randomUUID().replaceAll('-', '');
    const upload = { ...details, id, key, initiatedMs: this.#clock.now(), parts: new Map() };
    this.#uploads.set(id, upload);
    return upload;
  }

  /** Lists uploads whose keys start with a prefix, in the order of their keys and then of their ids. */
  uploads(prefix: string): StoredUpload[] {
    return [...this.#uploads.values()]
      .filter((upload) => upload.key.startsWith(prefix) && !this.#isAbandoned(upload))
      .toSorted((a, b) => compareUtf8(a.key, b.key) || compareUtf8(a.id, b.id));
  }

  /** @throws S3Error `NoSuchUpload` when there is none with this key and id. */
  upload(key: string, id: string): StoredUpload {
    const upload = this.#uploads.get(id);
    if (upload?.key !== key || this.#isAbandoned(upload)) throw new S3Error('NoSuchUpload', { UploadId: id });
    return upload;
  }

  /**
   * Adds a part to an upload, and replaces one with the same number.
   *
   * @throws S3Error `NoSuchUpload` if the upload has ended in the meantime; the bytes are then discarded.
   */
  async putPart(
    { key, id }: StoredUpload,
    number: number,
    part: Omit<StoredPart, 'lastModifiedMs'>,
  ): Promise<StoredPart> {
    try {
      const { parts } = this.upload(key, id);
      const before = parts.get(number);
      const stored = { ...part, lastModifiedMs: this.#clock.now() };
      parts.set(number, stored);
      await before?.bytes.drop();
      return stored;
    } catch (error) {
      await part.bytes.drop();
      throw error;
    }
  }

  /** Ends an upload; parts that are not in `kept` are deleted. */
  async endUpload({ id, parts }: StoredUpload, kept: readonly StoredPart[] = []): Promise<void> {
    this.#uploads.delete(id);
    for (const part of parts.values()) if (!kept.includes(part)) await part.bytes.drop();
  }

  /** Deletes what the rules of the bucket say is over. */
  async sweep(): Promise<void> {
    for (const [key, object] of this.#objects) if (this.#isExpired(key, object)) await this.delete(key);
    for (const upload of this.#uploads.values()) if (this.#isAbandoned(upload)) await this.endUpload(upload);
  }

  #isExpired(key: string, { lastModifiedMs }: StoredObject): boolean {
    return this.#isOver(key, lastModifiedMs, ({ expirationDays }) => expirationDays);
  }

  #isAbandoned({ key, initiatedMs }: StoredUpload): boolean {
    return this.#isOver(key, initiatedMs, ({ abortUploadDays }) => abortUploadDays);
  }

  #isOver(
    key: string,
    sinceMs: number,
    daysOf: (rule: BucketPlan['lifecycle'][number]) => number | undefined,
  ): boolean {
    return this.plan.lifecycle.some((rule) => {
      const days = daysOf(rule);
      return days !== undefined && key.startsWith(rule.prefix) && this.#clock.now() >= sinceMs + days * DAY_MS;
    });
  }
}

/** Compares texts by their code points, which is the order of their UTF-8; JavaScript's own order is by UTF-16. */
export function compareUtf8(a: string, b: string): number {
  for (let index = 0; index < a.length && index < b.length; index += 1) {
    if (a.charCodeAt(index) !== b.charCodeAt(index)) {
      return (a.codePointAt(index) ?? 0) - (b.codePointAt(index) ?? 0);
    }
  }
  return a.length - b.length;
}
