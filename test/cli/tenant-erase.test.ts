import { PutItemCommand, ScanCommand } from '@aws-sdk/client-dynamodb';
import {
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { JOBS, PAYLOADS, startTables, type Tables, WEBHOOKS } from '../lambdas/shared/jobs/job-servers.ts';
import { ManualClock } from '../local/manual-clock.ts';
import { startS3, type TestS3 } from '../local/services/s3/s3-server.ts';
import { tensorgate } from './model-commands.ts';

const RESULTS = 'results';

let tables: Tables;
let s3: TestS3;

beforeEach(async () => {
  tables = await startTables();
  await tables.call('CreateTable', {
    TableName: RESULTS,
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: [{ AttributeName: 'fingerprint', AttributeType: 'S' }],
    KeySchema: [{ AttributeName: 'fingerprint', KeyType: 'HASH' }],
  });
  s3 = await startS3({ clock: new ManualClock(Date.now()), buckets: { [PAYLOADS]: [] } });
  Object.assign(process.env, {
    AWS_ENDPOINT_URL_DYNAMODB: tables.server.client.endpoint,
    AWS_ENDPOINT_URL_S3: s3.url,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
  });
  for (const tenant of ['acme', 'acme-2', 'other']) await fill(tenant);
});

afterEach(async () => {
  for (const name of ['AWS_ENDPOINT_URL_DYNAMODB', 'AWS_ENDPOINT_URL_S3', 'AWS_REGION', 'AWS_ACCESS_KEY_ID']) {
    delete process.env[name];
  }
  delete process.env['AWS_SECRET_ACCESS_KEY'];
  await Promise.all([tables.close(), s3.close()]);
});

/** Keys of the items of a tenant. Ids are unique for a tenant, as in a deployment. */
const recordsOf = (tenant: string) => [
  ...Array.from({ length: 30 }, (_, index) => `job/${tenant}/job_${index}`),
  `file/${tenant}/file-1`,
  `upload/${tenant}/upload_${tenant}`,
  `batch/${tenant}/batch_${tenant}`,
  `subscriptions/${tenant}`,
  `usage/${tenant}`,
  `chunk/batch_${tenant}/0`,
  `chunk/batch_${tenant}/1`,
  `part/upload_${tenant}/part_1`,
];

const webhooksOf = (tenant: string) => [
  `secrets/${tenant}`,
  `endpoint/${tenant}/hash`,
  `deliveries/${tenant}/job/job_1`,
];

const objectsOf = (tenant: string) => [
  `jobs/${tenant}/job_1/hash/input.json`,
  `results/${tenant}/job_1/attempt`,
  `files/${tenant}/file-1`,
  `chunks/${tenant}/batch_${tenant}/output/0.jsonl`,
];

async function fill(tenant: string): Promise<void> {
  for (const pk of recordsOf(tenant)) await put(JOBS, { pk, status: 'succeeded', secret: 'a name' });
  for (const pk of webhooksOf(tenant)) await put(WEBHOOKS, { pk, secret: 'a name' });
  await tables.client.send(
    new PutItemCommand({ TableName: RESULTS, Item: { fingerprint: { S: `tenant/${tenant}/hash` } } }),
  );
  for (const Key of objectsOf(tenant)) {
    await s3.client.send(new PutObjectCommand({ Bucket: PAYLOADS, Key, Body: '12345' }));
  }
  await s3.client.send(new CreateMultipartUploadCommand({ Bucket: PAYLOADS, Key: `files/${tenant}/file-2` }));
}

function put(table: string, members: Readonly<Record<string, string>>) {
  const Item = Object.fromEntries(Object.entries(members).map(([name, value]) => [name, { S: value }]));
  return tables.client.send(new PutItemCommand({ TableName: table, Item }));
}

async function itemsOf(table: string) {
  const { Items: items = [] } = await tables.client.send(new ScanCommand({ TableName: table }));
  return items;
}

async function keysOf(table: string): Promise<string[]> {
  return (await itemsOf(table)).map(({ pk }) => pk?.S ?? '').sort();
}

async function objects(): Promise<string[]> {
  const { Contents: contents = [] } = await s3.client.send(new ListObjectsV2Command({ Bucket: PAYLOADS }));
  return contents.map(({ Key: key = '' }) => key);
}

async function uploads(): Promise<string[]> {
  const { Uploads: list = [] } = await s3.client.send(new ListMultipartUploadsCommand({ Bucket: PAYLOADS }));
  return list.map(({ Key: key = '' }) => key);
}

const erase = (...args: readonly string[]) =>
  tensorgate(
    'tenant',
    'erase',
    ...['--jobs-table', JOBS, '--webhooks-table', WEBHOOKS, '--results-table', RESULTS, '--payload-bucket', PAYLOADS],
    ...args,
  );

describe('tensorgate tenant erase', () => {
  it('removes all records of the tenant and none of others, and leaves only ids of deleted records', async () => {
    const { exitCode, stdout } = await erase('acme', '--json');
    expect(exitCode).toBe(0);
    const report = JSON.parse(stdout);
    expect(report).toMatchObject({ tenant: 'acme', dryRun: false, tombstones: 33 });
    expect(
      Object.fromEntries(report.erased.map(({ store, kind, count }: Counted) => [`${store} ${kind}`, count])),
    ).toEqual({
      'jobs job': 30,
      'jobs file': 1,
      'jobs upload': 1,
      'jobs batch': 1,
      'jobs subscriptions': 1,
      'jobs usage': 1,
      'jobs chunk': 2,
      'jobs part': 1,
      'payloads jobs/': 1,
      'payloads results/': 1,
      'payloads files/': 1,
      'payloads chunks/': 1,
      'payloads multipart uploads': 1,
      'webhooks secrets': 1,
      'webhooks endpoint': 1,
      'webhooks deliveries': 1,
      'results tenant': 1,
    });
    const others = ['acme-2', 'other'];
    expect(await keysOf(WEBHOOKS)).toEqual(others.flatMap(webhooksOf).sort());
    expect(await objects()).toEqual(others.flatMap(objectsOf).sort());
    expect(await uploads()).toEqual(['files/acme-2/file-2', 'files/other/file-2']);
    const left = (await itemsOf(JOBS)).filter(({ pk }) => !others.some((one) => recordsOf(one).includes(pk?.S ?? '')));
    expect(left).toHaveLength(33);
    for (const { secret, status, deletedAtMs, owner } of left) {
      expect([secret, status, owner?.S]).toEqual([undefined, undefined, 'acme']);
      expect(Number(deletedAtMs?.N)).toBeGreaterThan(0);
    }
  });

  it('finds nothing more when it is repeated, and reports what remains and for how long', async () => {
    await erase('acme');
    const { stdout } = await erase('acme');
    expect(stdout).toMatch(/^erased nothing\n/);
    expect(stdout).toMatch(/43 days +33 tombstones: id and time of deletion/);
    expect(stdout).toMatch(/35 days +point-in-time backups/);
  });

  it('completes a run that was interrupted after it had replaced the records', async () => {
    await erase('acme');
    await put(JOBS, { pk: 'chunk/batch_acme/7' });
    await s3.client.send(new PutObjectCommand({ Bucket: PAYLOADS, Key: 'chunks/acme/batch_acme/late', Body: '1' }));
    const { stdout } = await erase('acme', '--json');
    const kinds = JSON.parse(stdout).erased.map(({ kind, count }: Counted) => `${kind} ${count}`);
    expect(kinds).toEqual(['chunk 1', 'chunks/ 1']);
  });

  it('counts and changes nothing in a dry run', async () => {
    const before = [await keysOf(JOBS), await keysOf(WEBHOOKS), await objects(), await uploads()];
    const { stdout } = await erase('acme', '--dry-run');
    expect(stdout).toMatch(/jobs +job +30/);
    expect(stdout).toMatch(/payloads +files\/ +1 +0.0 kB/);
    expect([await keysOf(JOBS), await keysOf(WEBHOOKS), await objects(), await uploads()]).toEqual(before);
  });

  it('refuses a tenant with an invalid id, and a deployment that is named in part', async () => {
    expect(await erase('a/b')).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('the tenant must be') });
    const partly = await tensorgate('tenant', 'erase', 'acme', '--jobs-table', JOBS);
    expect(partly.exitCode).toBe(2);
    expect(partly.stderr).toContain('--webhooks-table, --results-table, --payload-bucket must be given');
  });

  it('reports that the service does not respond', async () => {
    process.env['AWS_ENDPOINT_URL_DYNAMODB'] = 'http://127.0.0.1:1';
    const { exitCode, stderr } = await erase('acme');
    expect(exitCode).toBe(4);
    expect(stderr).toContain('the data of the tenant cannot be erased');
  });
});

interface Counted {
  readonly store: string;
  readonly kind: string;
  readonly count: number;
}
