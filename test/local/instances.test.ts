import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { describeInstance, findInstances } from '../../local/instances.ts';
import type { LocalDescription } from '../../local/local-description.ts';

let folder: string;
const servers: Server[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tensorgate-instances-'));
});

afterEach(async () => {
  for (const server of servers.splice(0)) server.close();
  await rm(folder, { recursive: true });
});

/** Describes an instance of this process that listens on a port of its own. */
async function listening(pid = process.pid): Promise<LocalDescription> {
  const server = createServer().listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  return descriptionOf(port, pid);
}

function descriptionOf(port: number, pid: number): LocalDescription {
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    pid,
    stage: 'dev',
    apiKeys: [],
    endpoints: {},
    queues: {},
    stores: {},
    functions: {},
    models: [],
    logs: 'logs',
  };
}

const filesOf = async (kind: 'running' | 'stale') =>
  (await findInstances(folder))[kind].map(({ file }) => file.slice(folder.length + 1));

test('a second instance in a folder is described beside the first, whose file stays as it is', async () => {
  const [first, second] = [await listening(), await listening()];
  expect(await describeInstance(folder, first)).toBe(join(folder, 'local.json'));
  const file = await describeInstance(folder, second);
  expect(file).toBe(join(folder, `local-${new URL(second.url).port}.json`));
  expect(JSON.parse(await readFile(join(folder, 'local.json'), 'utf8'))).toEqual(first);
  expect((await filesOf('running')).sort()).toHaveLength(2);
});

test('one of several instances that start at the same time is the first', async () => {
  const descriptions = await Promise.all([listening(), listening(), listening()]);
  const files = await Promise.all(descriptions.map((description) => describeInstance(folder, description)));
  expect(new Set(files).size).toBe(3);
  expect(await filesOf('running')).toHaveLength(3);
});

test.each([
  ['whose process has ended', () => listening(spawnSync(process.execPath, ['--version']).pid)],
  ['whose process id belongs to another program by now', async () => descriptionOf(1, process.pid)],
])('the description of an instance %s is stale, and replaced', async (_, left) => {
  await writeFile(join(folder, 'local.json'), JSON.stringify(await left()));
  expect(await filesOf('stale')).toEqual(['local.json']);
  expect(await filesOf('running')).toEqual([]);
  expect(await describeInstance(folder, await listening())).toBe(join(folder, 'local.json'));
  expect(await filesOf('running')).toEqual(['local.json']);
});

test('a description that was not written completely is replaced', async () => {
  await writeFile(join(folder, 'local.json'), '{"url":');
  expect(await describeInstance(folder, await listening())).toBe(join(folder, 'local.json'));
});

test('a folder that does not exist holds no instances', async () => {
  expect(await findInstances(join(folder, 'absent'))).toEqual({ running: [], stale: [] });
});
