import { DeleteObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';

/** Name of the bucket. */
export const CALLERS_BUCKET = 'callers-inputs';

/** Prefix that the plan `internal` grants. */
export const CALLERS_PREFIX = 'internal/';

/** A bucket of callers, from which jobs may read their inputs. */
export class CallersBucket implements Disposable {
  readonly #client: S3Client;
  readonly #keys = new Set<string>();

  /** @param endpoint - URL of local mode's S3. */
  constructor(endpoint: string) {
    this.#client = new S3Client({
      endpoint,
      forcePathStyle: true,
      region: 'us-east-1',
      credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    });
  }

  /**
   * Stores an input.
   *
   * @returns Its address for `input_s3`.
   */
  async put(name: string, value: object): Promise<string> {
    const key = `${CALLERS_PREFIX}${name}.json`;
    this.#keys.add(key);
    await this.#client.send(new PutObjectCommand({ Bucket: CALLERS_BUCKET, Key: key, Body: JSON.stringify(value) }));
    return addressOf(name);
  }

  /**
   * Deletes everything.
   *
   * @returns Whether the bucket held what was put there and nothing else: objects of callers are theirs to delete.
   */
  async clear(): Promise<boolean> {
    const { Contents: found = [] } = await this.#client.send(new ListObjectsV2Command({ Bucket: CALLERS_BUCKET }));
    const isSame = found.length === this.#keys.size && found.every(({ Key: key = '' }) => this.#keys.has(key));
    for (const { Key: key } of found) {
      await this.#client.send(new DeleteObjectCommand({ Bucket: CALLERS_BUCKET, Key: key }));
    }
    this.#keys.clear();
    return isSame;
  }

  [Symbol.dispose](): void {
    this.#client.destroy();
  }
}

/** Address of an input, whether it exists or not. */
export function addressOf(name: string): string {
  return `s3://${CALLERS_BUCKET}/${CALLERS_PREFIX}${name}.json`;
}
