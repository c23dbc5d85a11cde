import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../../core/clock.ts';
import { removeFoldersOfEndedProcesses } from '../../aws/ended-processes.ts';
import type { BucketPlan } from '../../template/plan-buckets.ts';
import { Bucket } from './bucket-store.ts';
import { ObjectFiles } from './object-files.ts';
import { S3Error } from './s3-error.ts';

/** Start of the folders' names; the process that made one follows. */
const FOLDER = 'objects-';

/** S3 on the file system: bytes in a folder that lives as long as this process, everything else in memory. */
export class ObjectEngine implements AsyncDisposable {
  readonly files: ObjectFiles;
  readonly #directory: string;
  readonly #buckets: ReadonlyMap<string, Bucket>;

  private constructor(directory: string, buckets: readonly BucketPlan[], clock: Clock) {
    this.files = new ObjectFiles(directory);
    this.#directory = directory;
    this.#buckets = new Map(buckets.map((plan) => [plan.name, new Bucket(plan, clock)]));
  }

  /**
   * Opens empty buckets, and removes the folders of processes that ended without doing so.
   *
   * @param directory - Folder for the folder of the bytes.
   * @param clock - Clock for the time of writes and for expiry.
   */
  static async open(directory: string, buckets: readonly BucketPlan[], clock: Clock): Promise<ObjectEngine> {
    await mkdir(directory, { recursive: true });
    await removeFoldersOfEndedProcesses(directory, /^objects-(\d+)-/);
    return new ObjectEngine(await mkdtemp(join(directory, `${FOLDER}${process.pid}-`)), buckets, clock);
  }

  /** All buckets. */
  get buckets(): Iterable<Bucket> {
    return this.#buckets.values();
  }

  /** @throws S3Error `NoSuchBucket`. */
  bucket(name: string): Bucket {
    const bucket = this.#buckets.get(name);
    if (bucket === undefined) throw new S3Error('NoSuchBucket', { BucketName: name });
    return bucket;
  }

  /** Deletes what the rules of the buckets say is over; S3 does so within a day, local mode each minute. */
  async sweep(): Promise<void> {
    for (const bucket of this.#buckets.values()) await bucket.sweep();
  }

  /** Deletes everything. */
  async close(): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
