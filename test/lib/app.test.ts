import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { writeAdder } from './model-folders.ts';
import { temporaryDirectory } from './packed-models.ts';

const ENTRY = resolve('bin/app.ts');

/** Runs the app in a folder, as `cdk` and local mode do. */
function runApp(directory: string, context: object = {}): SpawnSyncReturns<string> {
  const { CDK_DEFAULT_ACCOUNT: _account, CDK_DEFAULT_REGION: _region, ...env } = process.env;
  return spawnSync(process.execPath, [ENTRY], {
    cwd: directory,
    encoding: 'utf8',
    env: { ...env, CDK_OUTDIR: join(directory, 'cdk.out'), CDK_CONTEXT_JSON: JSON.stringify(context) },
  });
}

/** A folder with one configuration and one model. */
function writeProject(config = '', manifest: object = {}): string {
  const directory = temporaryDirectory();
  mkdirSync(join(directory, 'config'));
  writeFileSync(join(directory, 'config/dev.yaml'), config);
  writeAdder(join(directory, 'models'), 'adder', manifest);
  return directory;
}

describe('bin/app.ts', () => {
  it('synthesizes stacks of data, jobs and everything else, and reports sizes and cost', () => {
    const directory = writeProject();
    const { status, stdout, stderr } = runApp(directory);
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
    expect(stderr).toMatch(/adder +1769 MiB x86_64 .* MB\nwhile idle: \$1\.64 a month\n {2}polling of 6 queues, /);
    const manifest = JSON.parse(readFileSync(join(directory, 'cdk.out/manifest.json'), 'utf8'));
    expect(Object.keys(manifest.artifacts)).toEqual(
      expect.arrayContaining(['TensorgateData-dev', 'TensorgateJobs-dev', 'TensorgateApi-dev']),
    );
    expect(manifest.artifacts['TensorgateApi-dev'].environment).toBe('aws://unknown-account/unknown-region');
  });

  it('keeps empty stacks in the app, so that cdk deploy deletes what was deployed before', () => {
    const directory = writeProject('jobs: { enabled: false }');
    const { stderr } = runApp(directory);
    expect(stderr).toMatch(/while idle: \$0\.00 a month\n/);
    const { artifacts } = JSON.parse(readFileSync(join(directory, 'cdk.out/manifest.json'), 'utf8'));
    for (const name of ['TensorgateJobs-dev', 'TensorgateGpu-dev']) {
      const template = JSON.parse(readFileSync(join(directory, `cdk.out/${name}.template.json`), 'utf8'));
      expect(template).not.toHaveProperty('Resources');
      expect(artifacts[name].dependencies).toContain('TensorgateApi-dev');
    }
  });

  it('tags every stack, and protects those with data and keys, if the configuration says so', () => {
    const directory = writeProject('deletionProtection: true\ntags: { team: search }');
    expect(runApp(directory)).toMatchObject({ status: 0 });
    const { artifacts } = JSON.parse(readFileSync(join(directory, 'cdk.out/manifest.json'), 'utf8'));
    const of = (stack: string) => artifacts[`Tensorgate${stack}-dev`].properties;
    expect(['Data', 'Jobs', 'Api'].map((stack) => of(stack).tags)).toEqual(Array(3).fill({ team: 'search' }));
    expect(['Data', 'Api'].map((stack) => of(stack).terminationProtection)).toEqual([true, true]);
    // `cdk deploy` deletes these stacks when they become empty.
    expect(of('Jobs').terminationProtection).toBeFalsy();
  });

  it('reports what costs money while idle', () => {
    const { stderr } = runApp(writeProject('', { compute: { target: 'lambda', provisioned: { min: 1 } } }));
    expect(stderr).toMatch(/while idle: \$\d+\.\d\d a month\n {2}provisioned concurrency, 1 x 1769 MiB x86_64: \$/);
  });

  it.each([
    [
      'an unknown stage',
      () => runApp(writeProject(), { stage: 'moon' }),
      'CONFIG_INVALID: unknown stage "moon", known: dev',
    ],
    [
      'a wrong configuration',
      () => runApp(writeProject('tracing: 1')),
      'CONFIG_INVALID: config/dev.yaml has 1 problem',
    ],
    ['a wrong manifest', () => runApp(writeProject('', { task: 'x' })), 'MANIFEST_INVALID: models/adder/model.yaml'],
  ])('reports what is wrong, and nothing else, when it gets %s', (_, run, message) => {
    const { status, stderr } = run();
    expect(status).toBe(1);
    expect(stderr).toContain(message);
    expect(stderr).not.toMatch(/^ {4}at /m);
  });
});
