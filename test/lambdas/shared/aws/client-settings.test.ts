import { readdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';
import { expect, test } from '@jest/globals';
import { API_CALL_MS, API_CLIENT_SETTINGS, callAws } from '../../../../lambdas/shared/aws/client-settings.ts';

const LAMBDAS = join(import.meta.dirname, '../../../../lambdas');

test('a service that never responds costs a request a few seconds, then it fails with UNAVAILABLE', async () => {
  let calls = 0;
  const server = createServer(() => {
    calls += 1;
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  const credentials = { accessKeyId: 'a', secretAccessKey: 'b' };
  const endpoint = `http://127.0.0.1:${port}`;
  const client = new DynamoDBClient({ ...API_CLIENT_SETTINGS, endpoint, region: 'us-east-1', credentials });
  const get = new GetItemCommand({ TableName: 't', Key: { pk: { S: 'a' } } });
  try {
    await expect(callAws('the table', () => client.send(get))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    const { maxAttempts, requestHandler } = API_CLIENT_SETTINGS;
    expect(calls).toBe(maxAttempts);
    expect(maxAttempts * requestHandler.requestTimeout).toBeLessThan(API_CALL_MS);
  } finally {
    client.destroy();
    server.closeAllConnections();
    server.close();
  }
}, 15_000);

/** An error as the SDK throws it for a response of a service. */
function serviceError(name: string): Error {
  return Object.assign(new Error('refused'), { name, $metadata: { httpStatusCode: 400 } });
}

test.each([
  'ValidationException',
  'SerializationException',
  'InvalidParameterValue',
  'InvalidParameterValueException',
  'InvalidMessageContents',
  'AWS.SimpleQueueService.BatchRequestTooLong',
  'com.amazonaws.sqs#MissingParameter',
  'KeyTooLongError',
  'InvalidArgument',
])('%s is a defect of the request: INTERNAL, which no breaker counts', async (name) => {
  const cause = serviceError(name);
  const call = callAws('the queue', () => Promise.reject(cause));
  const message = `the queue refused the request as invalid: ${name}`;
  await expect(call).rejects.toMatchObject({ code: 'INTERNAL', message, cause });
  await expect(call).rejects.not.toHaveProperty('dependency');
});

test.each([
  'ThrottlingException',
  'ProvisionedThroughputExceededException',
  'RequestLimitExceeded',
  'SlowDown',
  'InternalServerError',
  'ServiceUnavailable',
  'RequestTimeout',
  'AccessDeniedException',
  'ExpiredTokenException',
  'UnrecognizedClientException',
  'ResourceNotFoundException',
  'AWS.SimpleQueueService.NonExistentQueue',
  'QueueDoesNotExist',
  'NoSuchBucket',
  'KMS.DisabledException',
  'KmsAccessDenied',
  'ValidationError',
  'SomethingNewException',
])('%s passes or can be repaired while work waits: UNAVAILABLE', async (name) => {
  const call = callAws('the queue', () => Promise.reject(serviceError(name)));
  await expect(call).rejects.toMatchObject({ code: 'UNAVAILABLE', dependency: 'the queue' });
});

test('a failure that no service reported is UNAVAILABLE, whatever its name', async () => {
  const failure = Object.assign(new Error('no connection'), { name: 'InvalidRequest' });
  await expect(callAws('the queue', () => Promise.reject(failure))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
});

test('functions behind the API open clients with the settings for callers who wait', async () => {
  const folders = (await readdir(LAMBDAS)).filter((name) => name.startsWith('serve-'));
  expect(folders).toContain('serve-jobs');
  for (const folder of folders) {
    const files = (await readdir(join(LAMBDAS, folder))).filter((name) => name.endsWith('.ts'));
    for (const file of files) {
      const text = await readFile(join(LAMBDAS, folder, file), 'utf8');
      expect([file, text.match(/(?<!API_)(?<!API_PAYLOAD_)\b(?:PAYLOAD_)?CLIENT_SETTINGS/g)]).toEqual([file, null]);
    }
  }
});
