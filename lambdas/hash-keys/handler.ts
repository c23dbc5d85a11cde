import type { CloudFormationCustomResourceEvent } from 'aws-lambda';
import { renderKeyHashes } from '../../core/identity/key-hashes.ts';
import { sha256 } from '../shared/sha256.ts';
import type { ReadKey } from './api-keys.ts';

/** Dependencies of the function. */
export interface HashKeysDeps {
  readonly readKey: ReadKey;
  readonly fetch: typeof fetch;
}

/** Handles the events of one custom resource of AWS CloudFormation. */
export type HashKeysHandler = (event: CloudFormationCustomResourceEvent) => Promise<void>;

/**
 * Creates the handler of a custom resource: property `KeyIds`, attribute `Hashes`. Values of keys stay inside: they are
 * neither returned nor logged.
 *
 * Every event gets a response, failures included, because CloudFormation waits an hour for one.
 *
 * @see https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html
 */
export function createHandler(deps: HashKeysDeps): HashKeysHandler {
  return async (event) => {
    const outcome = await hashKeys(event, deps).then(
      (hashes) => ({ Status: 'SUCCESS', Data: { Hashes: hashes } }) as const,
      (error: unknown) => ({ Status: 'FAILED', Reason: error instanceof Error ? error.message : 'unknown' }) as const,
    );
    const { StackId, RequestId, LogicalResourceId } = event;
    const physicalId = 'PhysicalResourceId' in event ? event.PhysicalResourceId : LogicalResourceId;
    const body = { ...outcome, StackId, RequestId, LogicalResourceId, PhysicalResourceId: physicalId };
    // The URL is signed for a request without a content type, which bytes do not have and a text would.
    const response = await deps.fetch(event.ResponseURL, { method: 'PUT', body: Buffer.from(JSON.stringify(body)) });
    if (!response.ok) throw new Error(`CloudFormation responded with ${response.status}`);
  };
}

async function hashKeys(event: CloudFormationCustomResourceEvent, { readKey }: HashKeysDeps): Promise<string> {
  if (event.RequestType === 'Delete') return '';
  const ids = readIds(event.ResourceProperties['KeyIds']);
  const hashes = [];
  // One after the other, because API Gateway accepts ten calls a second for the whole account.
  for (const id of ids) hashes.push({ id, hash: sha256(Buffer.from(await readKey(id))) });
  return renderKeyHashes(hashes);
}

function readIds(value: unknown): readonly string[] {
  if (Array.isArray(value) && value.every((id) => typeof id === 'string')) return value;
  throw new Error('the property KeyIds must be a list of ids of API keys');
}
