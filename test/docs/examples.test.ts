import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type RunningApp, startApp, synthesizeApp } from '../app/running-app.ts';
import { linesOf } from '../lambdas/serve-batches/service.ts';
import { DOCUMENTS, differences, type Example, examplesOf, type Language, promisedLines } from './document-examples.ts';

const ROOT = join(import.meta.dirname, '../..');
const PYTHON = process.env['TENSORGATE_PYTHON'] ?? 'python3';

/** Each language has a key of its own, so that jobs with the same id do not meet. */
const PLANS: Readonly<Record<Language, string>> = { sh: 'internal', py: 'free', ts: 'pro' };

/** Examples that need more than one part, or whose server is started beside them. */
const LARGE = ['parts', 'presigned'];
const SERVERS = ['receive'];

let assembly: string;
let app: RunningApp;
let folder: string;

beforeAll(async () => {
  assembly = await synthesizeApp();
  app = await startApp(assembly, ['--allow-loopback-webhooks']);
  // Below the repository, so that the examples find the packages that they import.
  folder = await mkdtemp(join(ROOT, 'test/docs/snippets-'));
});

afterAll(async () => {
  await app?.stop();
  await Promise.all([assembly, folder].map((path) => rm(path, { recursive: true, force: true })));
});

/** Says why an example cannot run here; undefined if it can. */
function obstacleOf({ language, code }: Example): string | undefined {
  if (language === 'ts') return undefined;
  const tools = language === 'sh' ? ['curl', 'jq'].filter((tool) => code.includes(`${tool} `)) : [];
  const missing = tools.find((tool) => spawnSync(tool, ['--version']).status !== 0);
  if (missing !== undefined) return `${missing} is not installed`;
  if (language === 'sh') return undefined;
  const imports = code.match(/^(?:from|import) .*$/gm) ?? [];
  if (spawnSync(PYTHON, ['-c', imports.join('\n')]).status === 0) return undefined;
  return `${PYTHON} cannot do "${imports.join('; ')}"; TENSORGATE_PYTHON names another interpreter`;
}

function environmentOf(language: Language): NodeJS.ProcessEnv {
  return { ...process.env, API_URL: app.description.url, API_KEY: app.key(PLANS[language]), NODE_OPTIONS: '' };
}

/** The command that runs an example as a reader would, in a folder with its inputs. */
async function commandOf({ language, code, name = '' }: Example): Promise<readonly [string, string[]]> {
  const quick = code
    .replace(/sleep 5$/m, 'sleep 0.2')
    .replace('sleep(5)', 'sleep(0.2)')
    .replace('5000)', '200)');
  const file = join(folder, `${name}.${language === 'ts' ? 'mts' : language}`);
  await writeFile(file, language === 'sh' ? `set -e\n${quick}` : quick);
  if (language === 'ts') return [process.execPath, [file]];
  return language === 'sh' ? ['sh', [file]] : [PYTHON, [file]];
}

async function run(example: Example, variables: NodeJS.ProcessEnv = {}): Promise<string> {
  const [command, args] = await commandOf(example);
  const env = { ...environmentOf(example.language), ...variables };
  const { stdout } = await promisify(execFile)(command, args, { cwd: folder, env });
  return stdout.trim();
}

/** Calls the API as an example of a language would. */
async function call(language: Language, method: string, path: string, body?: object): Promise<unknown> {
  const { API_URL, API_KEY = '' } = environmentOf(language);
  const response = await fetch(`${API_URL}${path}`, {
    method,
    headers: { 'x-api-key': API_KEY, 'content-type': 'application/json' },
    body: body && JSON.stringify(body),
  });
  return response.json();
}

function isRunnable(example: Example): boolean {
  return example.name !== undefined && !SERVERS.includes(example.name) && !example.code.startsWith('export ');
}

const EXAMPLES = [...DOCUMENTS, 'docs/python.md'].flatMap(examplesOf).filter(isRunnable);

describe('the examples of the documents', () => {
  test.each(EXAMPLES)('$document: $name in $language prints what the document says', async (example) => {
    const obstacle = obstacleOf(example);
    if (obstacle !== undefined) {
      process.stderr.write(`not run: ${obstacle}\n`);
      return;
    }
    await writeFile(join(folder, 'requests.jsonl'), linesOf(LARGE.includes(example.name ?? '') ? 40_000 : 2));
    const fileId = example.name === 'retry' ? await uploadedFile(example.language) : '';
    const output = await run(example, { FILE_ID: fileId });
    if (example.shown !== undefined) {
      const shown = JSON.parse(example.shown.replace(/…[^\]\n"]*(?=\])/g, '"…"'));
      expect(differences(JSON.parse(output), shown)).toEqual([]);
    }
    const lines = output.split('\n');
    for (const promised of promisedLines(example)) expect(lines).toContain(promised);
    expect(output).not.toBe('');
    return undefined;
  });

  test('upload the bytes of the file', async () => {
    for (const language of ['sh', 'ts'] as const) {
      const { data } = (await call(language, 'GET', '/v1/files?limit=100')) as {
        data: { bytes: number; status: string }[];
      };
      const large = data.filter(({ bytes }) => bytes === linesOf(40_000).length);
      expect(large.map(({ status }) => status)).toEqual(['processed', 'processed']);
    }
  });

  test.each(examplesOf('docs/webhooks.md').filter(({ name }) => name === 'receive'))(
    'receive the webhook of a job, in $language',
    async (example) => {
      const obstacle = obstacleOf(example);
      if (obstacle !== undefined) {
        process.stderr.write(`not run: ${obstacle}\n`);
        return;
      }
      const { language } = example;
      const { secrets } = (await call(language, 'GET', '/v1/webhooks/secret')) as { secrets: { secret: string }[] };
      const port = await freePort();
      const [command, args] = await commandOf(example);
      const env = { ...environmentOf(language), WEBHOOK_SECRET: secrets[0]?.secret, PORT: String(port) };
      const receiver = spawn(command, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'inherit'] });
      try {
        await listening(port);
        await call(language, 'PUT', '/v1/jobs/guided', {
          endpoint: '/v1/embeddings',
          body: { model: 'minilm', input: 'The parcel arrived.' },
          webhook_url: `http://127.0.0.1:${port}/`,
        });
        expect(await firstLine(receiver)).toBe(`job.succeeded guided ${app.description.url}/v1/jobs/guided`);
      } finally {
        receiver.kill();
      }
      return undefined;
    },
  );
});

async function uploadedFile(language: Language): Promise<string> {
  const form = new FormData();
  form.set('purpose', 'batch');
  form.set('file', new Blob([await readFile(join(folder, 'requests.jsonl'))]), 'requests.jsonl');
  const { API_URL, API_KEY = '' } = environmentOf(language);
  const response = await fetch(`${API_URL}/v1/files`, {
    method: 'POST',
    headers: { 'x-api-key': API_KEY },
    body: form,
  });
  return ((await response.json()) as { id: string }).id;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Waits until something listens on a port; the test's own timeout ends the wait. */
async function listening(port: number): Promise<void> {
  for (;;) {
    const response = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body: '' }).catch(() => undefined);
    if (response !== undefined) return;
    await pause(50);
  }
}

async function firstLine({ stdout }: ChildProcess): Promise<string> {
  let text = '';
  for await (const chunk of stdout ?? []) {
    text += String(chunk);
    if (text.includes('\n')) break;
  }
  return text.split('\n')[0] ?? '';
}
