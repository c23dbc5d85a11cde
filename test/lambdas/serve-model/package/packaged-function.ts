import { type ChildProcess, fork } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda';
import { packModel } from '../../../../onnx/pack/pack-model.ts';
import { type BundleReport, bundleFunction } from '../../../../scripts/bundle-function.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..', '..');

/** A function's package in a folder of its own, far from any node_modules. */
export interface Package {
  readonly folder: string;
  readonly report: BundleReport;
  remove(): void;
}

/** Lays out the package of the model minilm as it is deployed, with the natives of this machine. */
export async function layOutPackage(): Promise<Package> {
  const folder = mkdtempSync(join(tmpdir(), 'tensorgate-package-'));
  const report = await bundleFunction(join(ROOT, 'lambdas', 'serve-model', 'index.ts'), folder);
  await packModel(join(ROOT, 'models', 'minilm'), join(folder, 'model'));
  const natives = join('onnxruntime', process.platform, process.arch);
  mkdirSync(join(folder, natives), { recursive: true });
  const installed = join(dirname(createRequire(import.meta.url).resolve('onnxruntime-node')), '..', 'bin', 'napi-v6');
  cpSync(join(installed, process.platform, process.arch), join(folder, natives), { recursive: true });
  return { folder, report, remove: () => rmSync(folder, { recursive: true }) };
}

/** A process that serves a package. */
export interface RunningFunction {
  readonly exports: readonly string[];
  /** Waits until it has written some lines, and gives them parsed. */
  lines(count: number): Promise<readonly Record<string, unknown>[]>;
  send(event: APIGatewayProxyEvent): Promise<APIGatewayProxyResult>;
  stop(): Promise<void>;
}

/** Starts a process on a package. */
export async function startFunction(folder: string, variables: Record<string, string> = {}): Promise<RunningFunction> {
  const child = fork(join(import.meta.dirname, 'driver.mjs'), [folder], {
    cwd: folder,
    execArgv: [],
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    env: {
      ORT_DISABLE_TELEMETRY: '1',
      TENSORGATE_METRICS: 'basic',
      TENSORGATE_METRICS_NAMESPACE: 'Tensorgate',
      TENSORGATE_STAGE: 'test',
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '1769',
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      ...variables,
    },
  });
  const written: Record<string, unknown>[] = [];
  const more = new EventEmitter();
  const note = (line: string) => {
    written.push(JSON.parse(line));
    more.emit('line');
  };
  if (child.stdout !== null) createInterface(child.stdout).on('line', note);
  const { exports } = (await messageFrom(child)) as { exports: string[] };
  let id = 0;
  return {
    exports,
    lines: async (count) => {
      while (written.length < count) await once(more, 'line');
      return written;
    },
    send: async (event) => {
      id += 1;
      child.send({ id, event, context: { awsRequestId: `request-${id}` } });
      const { answer } = (await messageFrom(child)) as { answer: APIGatewayProxyResult };
      return answer;
    },
    stop: async () => {
      const closed = once(child, 'close');
      child.kill();
      await closed;
    },
  };
}

async function messageFrom(child: ChildProcess): Promise<unknown> {
  const ended = new AbortController();
  const exited = once(child, 'exit', { signal: ended.signal }).then(([code]) => {
    throw new Error(`the function ended with code ${String(code)}`);
  });
  try {
    const [message] = (await Promise.race([once(child, 'message', { signal: ended.signal }), exited])) as [unknown];
    return message;
  } finally {
    exited.catch(() => undefined);
    ended.abort();
  }
}
