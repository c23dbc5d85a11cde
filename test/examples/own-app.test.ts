import { execFile, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { ReceiveMessageCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { LocalDescription } from '../../local/local-description.ts';
import { readAssembly } from '../../local/template/read-assembly.ts';
import { exportedValues, tsdocExamples, unexportedTypes } from './public-declarations.ts';

const PACKAGE = JSON.parse(readFileSync('package.json', 'utf8'));

const LOCK: { readonly packages: Readonly<Record<string, { hasInstallScript?: boolean; dependencies?: object }>> } =
  JSON.parse(readFileSync('package-lock.json', 'utf8'));

const COMPILER = resolve('node_modules/typescript/bin/tsc');

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
  for (const name of ['@types/node', ...Object.keys({ ...PACKAGE.dependencies, ...PACKAGE.peerDependencies })]) {
    const link = join(app, 'node_modules', name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(realpathSync(resolve('node_modules', name)), link, 'junction');
  }
});

afterAll(() => {
  rmSync(app, { recursive: true, force: true });
});

/** Returns whether the installation of a package runs a script of the package or of its dependencies. */
function hasInstallScript(name: string, seen = new Set<string>()): boolean {
  if (seen.has(name)) return false;
  seen.add(name);
  const { hasInstallScript: own, dependencies = {} } = LOCK.packages[`node_modules/${name}`] ?? {};
  return own === true || Object.keys(dependencies).some((next) => hasInstallScript(next, seen));
}

/** The declarations of the installed package. */
function declarations(): string {
  return join(app, 'node_modules/tensorgate/dist/lib/index.d.ts');
}

/** Returns the code that examples of TSDoc comments leave out: imports, an app, a stack and models. */
function preludeOfExamples(): string {
  return `import { Annotations, App, CfnOutput, Duration, RemovalPolicy, Size, Stack } from 'aws-cdk-lib';
import { Period } from 'aws-cdk-lib/aws-apigateway';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { ${exportedValues(declarations()).join(', ')} } from 'tensorgate';
declare const app: App, stack: Stack, models: readonly Model[];
`;
}

/** Synthesizes one of the apps. */
function synthesize(file: string) {
  const { status, stderr } = spawnSync(process.execPath, [file], {
    cwd: app,
    encoding: 'utf8',
    env: { ...process.env, CDK_OUTDIR: join(app, 'cdk.out') },
  });
  return { status, stderr };
}

/** Runs `tensorgate start` of the installed package in the app's folder, until it responds. */
async function startInstalled(): Promise<LocalDescription & { stop(): Promise<number | null> }> {
  const command = join(app, 'node_modules/tensorgate/dist/bin/tensorgate.js');
  const child = spawn(process.execPath, [command, 'start', '--port', '0'], { cwd: app });
  const exited = once(child, 'exit') as Promise<[number | null]>;
  const ready = Promise.withResolvers<void>();
  let output = '';
  const collect = (text: unknown): void => {
    output += String(text);
    if (output.includes('Ctrl-C stops everything')) ready.resolve();
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  const failed = exited.then(() => Promise.reject(new Error(`local mode did not start:\n${output}`)));
  await Promise.race([ready.promise, failed]);
  const description = JSON.parse(readFileSync(join(app, '.tensorgate/local.json'), 'utf8')) as LocalDescription;
  return {
    ...description,
    async stop() {
      child.kill('SIGINT');
      const [code] = await exited;
      return code;
    },
  };
}

/** Types of the resources of a stack and its nested stacks. */
async function resourceTypes(stack: string): Promise<readonly string[]> {
  const documents = (await readAssembly(join(app, 'cdk.out'))).filter(({ name }) => name === stack);
  return documents.flatMap(({ template }) => Object.values(template.Resources)).map(({ Type }) => Type);
}

function typeCheck(...files: readonly string[]) {
  const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2024', '--skipLibCheck'];
  const { status, stdout } = spawnSync(process.execPath, [COMPILER, ...options, '--types', 'node', ...files], {
    cwd: app,
    encoding: 'utf8',
  });
  return { status, stdout };
}

describe('an app outside of this repository', () => {
  it('gets function, API and table from the published package and one construct', async () => {
    expect(synthesize('app.ts')).toEqual({ status: 0, stderr: '' });
    const types = await resourceTypes('Search');
    // The model's, the authorizer, and the one that hashes the keys.
    expect(types.filter((type) => type === 'AWS::Lambda::Function')).toHaveLength(3);
    expect(types).toEqual(expect.arrayContaining(['AWS::ApiGateway::RestApi', 'AWS::DynamoDB::GlobalTable']));
  });

  it('gets workers, queues and routes from one construct more', async () => {
    expect(synthesize('app-with-jobs.ts')).toEqual({ status: 0, stderr: '' });
    const types = await resourceTypes('SearchWithJobs');
    const count = (name: string) => types.filter((type) => type === name).length;
    expect(count('AWS::Lambda::Function')).toBe(3 + 6 + 2);
    expect(count('AWS::Lambda::EventSourceMapping')).toBe(6);
    expect(count('AWS::SQS::Queue')).toBe(8);
    expect(count('AWS::DynamoDB::GlobalTable')).toBe(3);
  });

  it('computes what its README asks for, by HTTP and as a job from a queue', async () => {
    writeFileSync(join(app, 'cdk.json'), JSON.stringify({ app: 'node app-with-jobs.ts' }));
    const running = await startInstalled();
    try {
      const request = readFileSync(join(app, 'README.md'), 'utf8').match(/curl "\$API_URL.*\n.*'\{.*\}'$/m)?.[0] ?? '';
      const env = { ...process.env, API_URL: running.url, API_KEY: running.apiKeys[0]?.value ?? '' };
      const { stdout } = await promisify(execFile)('sh', ['-c', `${request} --silent --show-error`], { env });
      expect(JSON.parse(stdout)).toMatchObject({ predictions: [3] });

      const { jobs = '', results = '' } = running.queues;
      const client = new SQSClient({
        endpoint: running.endpoints['sqs'],
        region: 'us-east-1',
        credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
      });
      const event = {
        specversion: '1.0',
        type: 'tensorgate.job.v1',
        source: '/test',
        id: '1',
        data: { endpoint: '/v1/models/adder:predict', body: { instances: [{ a: 1, b: 2 }] }, reply_queue: 'results' },
      };
      await client.send(new SendMessageCommand({ QueueUrl: jobs, MessageBody: JSON.stringify(event) }));
      const { Messages: [reply] = [] } = await client.send(
        new ReceiveMessageCommand({ QueueUrl: results, WaitTimeSeconds: 20 }),
      );
      client.destroy();
      expect(JSON.parse(reply?.Body ?? '')).toMatchObject({
        data: { status: 'succeeded', result: { predictions: [3] } },
      });
    } finally {
      expect(await running.stop()).toBe(0);
    }
  });

  it('carries bundle, natives of one platform and packed model in the function’s package', () => {
    const assets = readdirSync(join(app, 'cdk.out')).filter((name) => name.startsWith('asset.'));
    const packages = assets.map((asset) => readdirSync(join(app, 'cdk.out', asset), { recursive: true }));
    expect(packages).toContainEqual(
      expect.arrayContaining([
        'index.mjs',
        'model/1.ort',
        'model/model.json',
        'onnxruntime/linux/x64/libonnxruntime.so.1',
      ]),
    );
  });

  it.each([
    ['missing', undefined, 'it is not installed'],
    ['of another version', '9.9.9', 'version 9.9.9 is installed'],
  ])('reports what to install if onnxruntime-node is %s', (_, version, found) => {
    const link = join(app, 'node_modules/onnxruntime-node');
    renameSync(link, `${link}-hidden`);
    if (version !== undefined) {
      mkdirSync(link);
      writeFileSync(join(link, 'package.json'), JSON.stringify({ name: 'onnxruntime-node', version }));
    }
    const { status, stderr } = synthesize('app.ts');
    rmSync(link, { recursive: true, force: true });
    renameSync(`${link}-hidden`, link);
    expect(status).toBe(1);
    const dependency = `onnxruntime-node@${PACKAGE.peerDependencies['onnxruntime-node']}`;
    expect(stderr).toContain(`${found}: npm install --save-exact --ignore-scripts ${dependency}`);
  });

  it('type-checks against the published declarations, as does every example of docs/constructs.md and of the constructs', () => {
    const guide = [...readFileSync('docs/constructs.md', 'utf8').matchAll(/^```ts\n(.*?)^```/gms)].map(
      ([, code = '']) => code,
    );
    const comments = tsdocExamples(declarations()).map(({ code }) => `${preludeOfExamples()}{\n${code}\n}`);
    expect(guide.length).toBeGreaterThan(3);
    const files = [...guide, ...comments].map((code, index) => {
      writeFileSync(join(app, `example-${index}.ts`), code);
      return `example-${index}.ts`;
    });
    expect(typeCheck('app.ts', 'app-with-jobs.ts', ...files)).toEqual({ status: 0, stdout: '' });
  });

  it('finds an example at every class, function and object that the package exports', () => {
    const subjects = tsdocExamples(declarations()).map(({ subject }) => subject);
    const without = exportedValues(declarations()).filter(
      (name) => !subjects.some((one) => one.split(/\W+/).includes(name)),
    );
    expect(without).toEqual([]);
  });

  it('can name every type that an exported declaration uses', () => {
    expect(unexportedTypes(declarations())).toEqual([]);
  });

  it('does not see what only the product itself needs', () => {
    const internal = [
      'submitterEnvironment',
      'environmentOf',
      'grantAccess',
      'priced',
      'resourcesPerModel',
      'deployed',
    ];
    const code = internal.map((name) => `jobs.${name}; api.${name};`).join('\n');
    writeFileSync(
      join(app, 'internal.ts'),
      `${preludeOfExamples()}declare const jobs: Jobs, api: InferenceApi;\n${code}\n`,
    );
    const errors = typeCheck('internal.ts').stdout.match(/error TS2339/g) ?? [];
    expect(errors).toHaveLength(2 * internal.length);
  });

  it('gets an error for a setting that does not exist', () => {
    const code = readFileSync(join(app, 'app.ts'), 'utf8').replace('stageName', 'stageNames');
    writeFileSync(join(app, 'wrong.ts'), code);
    expect(typeCheck('wrong.ts').stdout).toContain("'stageNames' does not exist in type 'InferenceApiProps'");
  });

  it('publishes neither sources nor tests', () => {
    const names = readdirSync(join(app, 'node_modules/tensorgate'), { recursive: true }).map(String);
    expect(names.filter((name) => name.endsWith('.test.js') || name.startsWith('test'))).toEqual([]);
    expect(names).toEqual(expect.arrayContaining(['package.json', 'LICENSE', 'dist/lib/index.d.ts']));
    expect(names).toContain('dist/local/LICENSES.txt');
  });

  it('runs no script at installation, and leaves onnxruntime-node to the app', () => {
    const { scripts, dependencies } = JSON.parse(
      readFileSync(join(app, 'node_modules/tensorgate/package.json'), 'utf8'),
    );
    expect(['preinstall', 'install', 'postinstall'].filter((name) => name in scripts)).toEqual([]);
    expect(Object.keys(dependencies).filter((name) => hasInstallScript(name))).toEqual([]);
  });

  it('has every page that the README of the package links to', () => {
    const installed = join(app, 'node_modules/tensorgate');
    const links = readFileSync(join(installed, 'README.md'), 'utf8').matchAll(/\]\((?!https?:|#)([^)#]+)/g);
    const missing = [...links].map(([, path = '']) => path).filter((path) => !existsSync(join(installed, path)));
    expect(missing).toEqual([]);
  });
});
