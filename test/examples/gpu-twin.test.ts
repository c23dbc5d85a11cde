import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, expect, it } from '@jest/globals';
import { type LocalStack, startLocal } from '../../local/start.ts';
import { readAssembly } from '../../local/template/read-assembly.ts';
import { cosine } from '../app/embed-by-function.ts';

const folder = mkdtempSync(join(tmpdir(), 'tensorgate-twin-'));

let app: LocalStack | undefined;

afterAll(async () => {
  await app?.stop();
  rmSync(folder, { recursive: true, force: true });
});

it('the example deploys a model twice, in functions and on an endpoint', async () => {
  const out = join(folder, 'cdk.out');
  const { status, stderr } = spawnSync(process.execPath, [resolve('examples/gpu-twin/app.ts')], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, CDK_OUTDIR: out },
  });
  expect({ status, stderr }).toMatchObject({ status: 0 });
  const resources = (await readAssembly(out)).flatMap(({ template }) => Object.values(template.Resources));
  const ofType = (type: string) => resources.filter(({ Type }) => Type === type);
  expect(ofType('AWS::SageMaker::Endpoint')).toHaveLength(1);
  const descriptions = ofType('AWS::Lambda::Function').map(({ Properties }) => String(Properties['Description']));
  expect(descriptions.filter((text) => text.startsWith('Serves the model')).sort()).toEqual([
    'Serves the model minilm',
    'Serves the model minilm-gpu',
  ]);
  const [config] = ofType('AWS::SageMaker::EndpointConfig');
  expect(config?.Properties['ProductionVariants']).toMatchObject([{ InstanceType: 'ml.g5.xlarge' }]);
});

it('the two models of the example return the same vectors', async () => {
  app = await startLocal({
    assembly: join(folder, 'cdk.out'),
    directory: join(folder, 'local'),
    port: 0,
    initLimitMs: 120_000,
  });
  const { url, description } = app;
  const vectors = await Promise.all(
    ['minilm', 'minilm-gpu'].map(async (model) => {
      const response = await fetch(`${url}/v1/embeddings`, {
        method: 'POST',
        headers: { 'x-api-key': description.apiKeys[0]?.value ?? '', 'content-type': 'application/json' },
        body: JSON.stringify({ model, input: ['how alike are twins?'] }),
      });
      const { data } = (await response.json()) as { data: { embedding: number[] }[] };
      return data[0]?.embedding ?? [];
    }),
  );
  const [twin = [], gpuTwin = []] = vectors;
  expect([twin.length, gpuTwin.length]).toEqual([384, 384]);
  expect(cosine(twin, Float32Array.from(gpuTwin))).toBeGreaterThan(0.98);
});
