import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { WatchdogTasks } from '../../../lambdas/run-jobs/watchdog-tasks.ts';
import type { TableWrite } from '../../../lambdas/shared/aws/table-write.ts';

const WRITE: TableWrite = { kind: 'put', input: { TableName: 'jobs', Item: {} } };

describe('the watchdog of a worker', () => {
  let calls: unknown[];
  let tasks: WatchdogTasks;
  let finishWrite: () => void;

  beforeEach(() => {
    jest.useFakeTimers();
    calls = [];
    tasks = new WatchdogTasks({
      extend: async (queueUrl, handles, seconds) => void calls.push([queueUrl, ...handles, seconds]),
      write: (write) => {
        calls.push(write);
        const { promise, resolve } = Promise.withResolvers<void>();
        finishWrite = resolve;
        return promise;
      },
      reply: (id) => void calls.push(id),
    });
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  it('renews the leases of messages until they are let go, and says when none is renewed any more', async () => {
    tasks.handle({ kind: 'hold', queueUrl: 'jobs', receiptHandles: ['a'] });
    tasks.handle({ kind: 'hold', queueUrl: 'chunks', receiptHandles: ['b'] });
    await jest.advanceTimersByTimeAsync(1000);
    tasks.handle({ kind: 'letGo', id: 1, queueUrl: 'jobs', receiptHandle: 'a' });
    await jest.advanceTimersByTimeAsync(15_000);
    tasks.handle({ kind: 'letGo', id: 2, queueUrl: 'chunks', receiptHandle: 'b' });
    await jest.advanceTimersByTimeAsync(60_000);
    expect(calls).toEqual([['jobs', 'a', 40], ['chunks', 'b', 40], 1, ['chunks', 'b', 40], 2]);
  });

  it('makes a write at its time', async () => {
    tasks.handle({ kind: 'write', id: 1, afterMs: 5000, write: WRITE });
    await jest.advanceTimersByTimeAsync(4999);
    expect(calls).toEqual([]);
    await jest.advanceTimersByTimeAsync(1);
    expect(calls).toEqual([WRITE]);
  });

  it('makes no write that was canceled', async () => {
    tasks.handle({ kind: 'write', id: 1, afterMs: 5000, write: WRITE });
    tasks.handle({ kind: 'cancel', id: 1 });
    await jest.advanceTimersByTimeAsync(10_000);
    expect(calls).toEqual([1]);
  });

  it('reports that a write is canceled only once it is not under way', async () => {
    tasks.handle({ kind: 'write', id: 1, afterMs: 0, write: WRITE });
    await jest.advanceTimersByTimeAsync(1);
    tasks.handle({ kind: 'cancel', id: 1 });
    await jest.advanceTimersByTimeAsync(10_000);
    expect(calls).toEqual([WRITE]);
    finishWrite();
    await jest.advanceTimersByTimeAsync(0);
    expect(calls).toEqual([WRITE, 1]);
  });
});

/** A worker whose model never returns. */
const BLOCKED_WORKER = `
import { Watchdog } from ${JSON.stringify(join(import.meta.dirname, '../../../lambdas/run-jobs/watchdog.ts'))};
const watchdog = await Watchdog.start(${JSON.stringify(join(import.meta.dirname, '../../../lambdas/run-jobs/watchdog-thread.ts'))});
const queueUrl = process.env.AWS_ENDPOINT_URL + '/000000000000/jobs';
watchdog.holderOf(queueUrl).hold(['handle']);
watchdog.writeAfter(10, { kind: 'update', input: { TableName: 'jobs', Key: { pk: { S: 'job' } } } });
Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
`;

describe('a worker that the model keeps busy', () => {
  let child: ChildProcess | undefined;
  let server: Server;
  let url: string;
  let folder: string;
  const seen = new Set<string>();

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tensorgate-watchdog-'));
    server = createServer((request, response) => {
      seen.add(String(request.headers['x-amz-target']).split('.')[1] ?? '');
      request.resume().on('end', () => {
        response.writeHead(200, { 'content-type': 'application/x-amz-json-1.0' }).end('{}');
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  afterEach(async () => {
    child?.kill('SIGKILL');
    server.close();
    server.closeAllConnections();
    await rm(folder, { recursive: true, force: true });
  });

  it('holds its messages and notes that its time ended', async () => {
    const script = join(folder, 'worker.mjs');
    await writeFile(script, BLOCKED_WORKER);
    child = spawn(process.execPath, [script], {
      stdio: 'inherit',
      env: {
        ...process.env,
        AWS_ENDPOINT_URL: url,
        AWS_REGION: 'us-east-1',
        AWS_ACCESS_KEY_ID: 'local',
        AWS_SECRET_ACCESS_KEY: 'local',
      },
    });
    while (seen.size < 2 && child.exitCode === null) await pause(10);
    expect([...seen].toSorted()).toEqual(['ChangeMessageVisibilityBatch', 'UpdateItem']);
  });
});
