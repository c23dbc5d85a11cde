import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, expect, it } from '@jest/globals';
import type { SynthesizedResource } from '../lib/synthesized-api.ts';

const folder = mkdtempSync(join(tmpdir(), 'tensorgate-twin-'));

afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('the example deploys a model twice, in functions and on an endpoint', () => {
  const out = join(folder, 'cdk.out');
  const { status, stderr } = spawnSync(process.execPath, [resolve('examples/gpu-twin/app.ts')], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, CDK_OUTDIR: out },
  });
  expect({ status, stderr }).toMatchObject({ status: 0 });
  const template = JSON.parse(readFileSync(join(out, 'GpuTwin.template.json'), 'utf8'));
  const resources = Object.values(template.Resources) as SynthesizedResource[];
  const ofType = (type: string) => resources.filter(({ Type }) => Type === type);
  expect(ofType('AWS::SageMaker::Endpoint')).toHaveLength(1);
  const descriptions = ofType('AWS::Lambda::Function').map(({ Properties }) => Properties.Description);
  expect(descriptions.sort()).toEqual(['Serves the model minilm', 'Serves the model minilm-gpu']);
  const [config] = ofType('AWS::SageMaker::EndpointConfig');
  expect(config?.Properties.ProductionVariants).toMatchObject([{ InstanceType: 'ml.g5.xlarge' }]);
});
