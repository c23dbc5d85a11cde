import { Token } from 'aws-cdk-lib';
import type { IBucket } from 'aws-cdk-lib/aws-s3';

/**
 * Names of buckets for a check of settings. A name that is known only at deployment gets a stand-in that the check accepts.
 */
export class BucketNames {
  readonly #names = new Map<string, string>();

  /** The name of a bucket, or its stand-in. */
  standIn({ bucketName }: IBucket): string {
    const name = Token.isUnresolved(bucketName) ? `known-at-deployment-${this.#names.size}` : bucketName;
    const earlier = [...this.#names].find(([, own]) => own === bucketName);
    if (earlier !== undefined) return earlier[0];
    this.#names.set(name, bucketName);
    return name;
  }

  /** The name that {@link standIn} stands for. */
  resolve(name: string): string {
    return this.#names.get(name) ?? name;
  }
}
