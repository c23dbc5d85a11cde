import { createHash } from 'node:crypto';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type LocalStack, startLocal } from '../../local/start.ts';
import { makeNode } from '../../onnx/format/graph.ts';
import { encodeModel } from '../../onnx/format/proto.ts';
import { matrix, smallModel, value } from '../onnx/small-models.ts';
import { synthesizeApp } from './running-app.ts';

let folder: string;
let assembly: string;
let app: LocalStack;

/** A model that multiplies rows of two by a matrix, another one for each version. */
async function writeVersion(version: number): Promise<string> {
  const weights = encodeModel(
    smallModel({
      nodes: [makeNode('MatMul', 'times', ['x', 'w'], ['y'])],
      inputs: [value('x', ['rows', 2])],
      outputs: [value('y', ['rows', 1])],
      constants: [matrix('w', 2, 1, version)],
    }),
  );
  const path = `${version}/model.onnx`;
  await mkdir(join(folder, `models/times/${version}`), { recursive: true });
  await writeFile(join(folder, 'models/times', path), weights);
  return `  "${version}": { weights: ${path}, sha256: ${createHash('sha256').update(weights).digest('hex')} }`;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tensorgate-gpu-versions-'));
  await cp('config', join(folder, 'config'), { recursive: true });
  const config = join(folder, 'config/dev.yaml');
  const text = await readFile(config, 'utf8');
  await writeFile(config, text.replace(/^maxIdleMonthlyUsd: .*$/m, 'maxIdleMonthlyUsd: 3500'));
  const manifest = [
    ...['id: times', 'task: tensor', 'versions:'],
    ...[await writeVersion(1), await writeVersion(2), await writeVersion(3)],
    ...['traffic: { "1": 100, "2": 0 }', 'shadow: { version: "3", percent: 100 }', 'cache: { store: none }'],
    'compute: { target: sagemaker }',
  ];
  await writeFile(join(folder, 'models/times/model.yaml'), `${manifest.join('\n')}\n`);
  assembly = await synthesizeApp(folder);
  app = await startLocal({
    assembly,
    directory: join(folder, 'local'),
    port: 0,
    maxEnvironments: 2,
    initLimitMs: 120_000,
  });
});

afterAll(async () => {
  await app?.stop();
  for (const path of [folder, assembly]) if (path !== undefined) await rm(path, { recursive: true, force: true });
});

async function infer(version: string) {
  const key = app.description.apiKeys.find(({ plan }) => plan === 'internal')?.value ?? '';
  const response = await fetch(`${app.url}/v2/models/times${version}/infer`, {
    method: 'POST',
    headers: { 'x-api-key': key, 'content-type': 'application/json' },
    body: JSON.stringify({ inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 2], data: [1, 2] }] }),
  });
  const json = (await response.json()) as { readonly outputs?: readonly { readonly data: readonly number[] }[] };
  return { status: response.status, version: response.headers.get('x-model-version'), data: json.outputs?.[0]?.data };
}

/** How many requests the container of a variant answered. */
async function answered(variant: string): Promise<number> {
  const folderOfLogs = join(folder, 'local/logs');
  const file = (await readdir(folderOfLogs)).find((name) => name.endsWith(`-${variant}.log`)) ?? '';
  return (await readFile(join(folderOfLogs, file), 'utf8')).match(/^invocation 200 /gm)?.length ?? 0;
}

describe('a model of several versions on endpoints', () => {
  it('has an endpoint for each version that serves requests, one of them with a shadow', () => {
    const plans = app.plan.endpoints.map(({ name, variants, shadow }) => [name, variants.length, shadow?.name]);
    expect(plans).toEqual([
      ['TensorgateGpu-dev-times-g5-xlarge-v1', 1, 'v3'],
      ['TensorgateGpu-dev-times-g5-xlarge-v2', 1, undefined],
    ]);
    expect(app.plan.notRun).toEqual([]);
  });

  it('serves the requested version, or one that the traffic split chooses', async () => {
    const [usual, first, second] = [await infer(''), await infer('/versions/1'), await infer('/versions/2')];
    expect(usual).toEqual({ ...first, status: 200, version: '1' });
    expect(second).toMatchObject({ status: 200, version: '2' });
    expect(second.data).not.toEqual(first.data);
  });

  it('copies requests to the shadow version, which callers cannot select', async () => {
    const before = await answered('v1');
    for (let count = 0; count < 5; count++) expect(await infer('')).toMatchObject({ status: 200, version: '1' });
    expect(await answered('v1')).toBe(before + 5);
    // The last copy may still be on its way.
    while ((await answered('v3')) < before + 5) await pause(20);
    expect(await answered('v3')).toBe(before + 5);
    expect((await infer('/versions/3')).status).toBe(404);
  });
});
