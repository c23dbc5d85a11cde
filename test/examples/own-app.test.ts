import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

const PACKAGE = JSON.parse(readFileSync('package.json', 'utf8'));

let app: string;

/** Packs and unpacks the package as the registry and `npm install` do; its dependencies come from the workspace. */
beforeAll(() => {
  if (!existsSync('dist/lib/index.js')) throw new Error('the package is not built, run npm run build');
  app = mkdtempSync(join(tmpdir(), 'tensorgate-own-app-'));
  cpSync('examples/own-app', app, { recursive: true });
  const installed = join(app, 'node_modules/tensorgate');
  mkdirSync(installed, { recursive: true });
  execFileSync('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', app], { stdio: 'ignore' });
  const archive = join(app, `tensorgate-${PACKAGE.version}.tgz`);
  execFileSync('tar', ['-xzf', archive, '--strip-components=1', '-C', installed]);
  for (const name of Object.keys({ ...PACKAGE.dependencies, ...PACKAGE.peerDependencies })) {
    const link = join(app, 'node_modules', name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(realpathSync(resolve('node_modules', name)), link, 'junction');
  }
});

afterAll(() => {
  rmSync(app, { recursive: true, force: true });
});

describe('somebody else’s app', () => {
  it('gets function, API and table from the published package and one construct', () => {
    const { status, stderr } = spawnSync(process.execPath, ['app.ts'], {
      cwd: app,
      encoding: 'utf8',
      env: { ...process.env, CDK_OUTDIR: join(app, 'cdk.out') },
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const { Resources } = JSON.parse(readFileSync(join(app, 'cdk.out/Search.template.json'), 'utf8'));
    const types = Object.values(Resources).map((resource) => (resource as { readonly Type: string }).Type);
    expect(types.filter((type) => type === 'AWS::Lambda::Function')).toHaveLength(1);
    expect(types).toEqual(expect.arrayContaining(['AWS::ApiGateway::RestApi', 'AWS::DynamoDB::GlobalTable']));
  });

  it('carries bundle, natives of one platform and packed model in the function’s package', () => {
    const [asset] = readdirSync(join(app, 'cdk.out')).filter((name) => name.startsWith('asset.'));
    const files = readdirSync(join(app, 'cdk.out', asset ?? ''), { recursive: true });
    expect(files).toEqual(
      expect.arrayContaining([
        'index.mjs',
        'model/1.ort',
        'model/model.json',
        'onnxruntime/linux/x64/libonnxruntime.so.1',
      ]),
    );
  });

  it('publishes neither sources nor tests', () => {
    const names = readdirSync(join(app, 'node_modules/tensorgate'), { recursive: true }).map(String);
    expect(names.filter((name) => name.endsWith('.test.js') || name.startsWith('test'))).toEqual([]);
    expect(names).toEqual(expect.arrayContaining(['package.json', 'LICENSE', 'dist/lib/index.d.ts']));
  });
});
