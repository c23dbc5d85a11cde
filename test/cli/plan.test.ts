import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { safetensors } from '../onnx/small-models.ts';
import { tensorgate } from './model-commands.ts';

const LOAD = ['plan', 'models/minilm', '--tokens', '128', '--cpu-ms', '17'];

describe('tensorgate plan', () => {
  it('names the cheapest target that is fast enough, and the load of the crossover', async () => {
    const { exitCode, stdout } = await tensorgate(...LOAD, '--rps', '1', '--p95-ms', '50');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^minilm {2}1 requests a second of 128 tokens$/m);
    expect(stdout).toMatch(/^Lambda +1\.\d\d +0\.\d\d +18\.0 +yes$/m);
    expect(stdout).toMatch(/^SageMaker, 1 x ml\.g5\.xlarge +1,028\.\d\d/m);
    expect(stdout).toContain('Cheapest within 50 ms: Lambda.');
    expect(stdout).toMatch(/Below about \d+ requests a second functions are cheaper, above ml\.g5\.xlarge is\./);
    expect(stdout).toContain('GPU: 0.20 ms (derived from the weights)');
  });

  it('depends on the load and on the requested latency', async () => {
    const large = await tensorgate(...LOAD, '--rps', '5000', '--instance-type', 'ml.g4dn.xlarge');
    expect(large.stdout).toContain('Cheapest: SageMaker on ml.g4dn.xlarge.');
    const quick = await tensorgate(...LOAD, '--rps', '1', '--p95-ms', '10');
    expect(quick.stdout).toContain('Cheapest within 10 ms: SageMaker on ml.g5.xlarge.');
    const hopeless = await tensorgate(...LOAD, '--rps', '1', '--p95-ms', '1');
    expect(hopeless.stdout).toContain('Nothing answers within 1 ms');
    const never = await tensorgate(...LOAD, '--rps', '1', '--gpu-ms', '10000');
    expect(never.stdout).toContain('Functions are cheaper than ml.g5.xlarge at any load.');
  });

  it('compares a model that only the container can run by given measurements', async () => {
    const root = mkdtempSync(join(tmpdir(), 'tensorgate-plan-'));
    const folder = join(root, 'texts');
    const weights = safetensors({ w: [1] });
    mkdirSync(folder);
    writeFileSync(join(folder, 'w.safetensors'), weights);
    const sha256 = createHash('sha256').update(weights).digest('hex');
    const compute = '{ target: sagemaker, container: tei }';
    const versions = `{ "1": { weights: w.safetensors, sha256: ${sha256} } }`;
    writeFileSync(
      join(folder, 'model.yaml'),
      `id: texts\ntask: embedding\nversions: ${versions}\ncompute: ${compute}\n`,
    );
    const load = ['plan', folder, '--tokens', '100', '--rps', '5', '--cpu-ms', '20'];
    expect((await tensorgate(...load, '--gpu-ms', '2')).stdout).toContain('Cheapest: Lambda.');
    expect((await tensorgate(...load)).stderr).toContain(
      '--cpu-ms and --gpu-ms are needed: w.safetensors is not an ONNX file',
    );
    rmSync(root, { recursive: true });
  });

  it('measures values that are not given, and prints JSON', async () => {
    const { stdout } = await tensorgate('plan', 'models/minilm', '--tokens', '16', '--rps', '2', '--json');
    const plan = JSON.parse(stdout) as { load: { cpuMs: number }; sources: object; targets: unknown[] };
    expect(plan.load.cpuMs).toBeGreaterThan(0);
    expect(plan.sources).toEqual({ cpuMs: 'measured here, on one thread', gpuMs: 'derived from the weights' });
    expect(plan.targets).toHaveLength(3);
  });

  it.each([
    [['--rps', '0'], 'must be a number above 0'],
    [['--rps', '1', '--p95-ms', 'soon'], 'must be a number above 0'],
    [['--rps', '1', '--instance-type', 'ml.m5.xlarge'], '--instance-type must be one of ml.g4dn.xlarge'],
    [['--rps', '1', '--tokens', '300001'], '--tokens must be at most 300000 for minilm'],
    [['--rps', '1', '--memory-mib', '100'], '--memory-mib must be a whole number from 512 to 10240, got 100'],
    [['--rps', '1', '--memory-mib', '20000'], '--memory-mib must be a whole number from 512 to 10240, got 20000'],
    [['--rps', '1', '--cpu-ms', '30000', '--gpu-ms', '30000'], 'no target responds within the timeout of 29 s'],
  ])('refuses %j', async (options, message) => {
    const { exitCode, stderr } = await tensorgate(...LOAD, ...options);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(message);
  });

  it('lists no target that takes longer than the timeout of the function', async () => {
    const { stdout } = await tensorgate(...LOAD, '--rps', '1', '--cpu-ms', '30000');
    expect(stdout).not.toMatch(/^Lambda/m);
    expect(stdout).toContain('Cheapest: SageMaker on ml.g5.xlarge.');
    expect(stdout).toContain(
      'Not possible within the timeout of 29 s: Lambda (30001 ms), Lambda, provisioned (30001 ms).',
    );
  });

  it('refuses a folder without a model', async () => {
    const { exitCode, stderr } = await tensorgate('plan', 'docs', '--tokens', '1', '--rps', '1');
    expect(exitCode).toBe(1);
    expect(stderr).toContain('MANIFEST_INVALID');
  });
});
