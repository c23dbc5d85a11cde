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
  const startedMs = performance.now();
  try {
    await expect(callAws('the table', () => client.send(get))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    // Some room for a busy machine.
    expect(performance.now() - startedMs).toBeLessThan(1.5 * API_CALL_MS);
    expect(calls).toBe(2);
  } finally {
    client.destroy();
    server.closeAllConnections();
    server.close();
  }
}, 15_000);

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
