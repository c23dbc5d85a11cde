import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { synthesize } from '../../cli/synthesize.ts';
import { type LocalStack, startLocal } from '../../local/start.ts';

let folder: string;
let app: LocalStack | undefined;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tensorgate-second-'));
  for (const name of ['models', 'config']) await cp(name, join(folder, name), { recursive: true });
  await cp('examples/own-app/models/adder', join(folder, 'models/adder'), { recursive: true });
  await writeFile(join(folder, 'cdk.json'), JSON.stringify({ app: `node ${resolve('bin/app.ts')}` }));
});

afterAll(async () => {
  await app?.stop();
  await rm(folder, { recursive: true, force: true });
});

it('a second model in models/ runs with the configuration as it is committed', async () => {
  const { assembly, warnings } = await synthesize('dev', { projectDirectory: folder, outputDirectory: 'cdk.out' });
  expect(warnings).toEqual([]);
  app = await startLocal({ assembly, directory: join(folder, 'local'), port: 0, maxEnvironments: 2 });
  const response = await fetch(`${app.url}/v1/models/adder:predict`, {
    method: 'POST',
    headers: { 'x-api-key': app.description.apiKeys[0]?.value ?? '', 'content-type': 'application/json' },
    body: JSON.stringify({ instances: [{ a: 1, b: 2 }] }),
  });
  expect(await response.json()).toMatchObject({ predictions: [3] });
});

it('local mode warns of an idle cost above the limit, with the file and key of the limit', async () => {
  const config = join(folder, 'config/dev.yaml');
  const text = await readFile(config, 'utf8');
  await writeFile(config, text.replace(/^maxIdleMonthlyUsd: .*$/m, 'maxIdleMonthlyUsd: 1'));
  const { warnings } = await synthesize('dev', { projectDirectory: folder, outputDirectory: 'cdk.out' });
  expect(warnings).toEqual([
    expect.stringMatching(
      /^config\/dev\.yaml: maxIdleMonthlyUsd allows \$1\.00 \(prices of us-east-1\), but a deployment would cost \$2\.16 /,
    ),
  ]);
});
