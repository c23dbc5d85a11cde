import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Activity } from '../../../../local/activity/activity.ts';
import { errorOf, type InvocationResult, MAX_REQUEST_BYTES } from '../../../../local/services/lambda/invocation.ts';
import { LambdaHost, type LambdaHostOptions } from '../../../../local/services/lambda/lambda-host.ts';
import type { FunctionPlan } from '../../../../local/template/plan-functions.ts';
import { removeFolder, temporaryFolder } from '../../fixture-app.ts';

const ARN = 'arn:aws:lambda:us-east-1:000000000000:function:';

/** Does what its event says. */
const OBEDIENT = `
import { existsSync } from 'node:fs';
let calls = 0;
const leak = [];
export const handler = async (event, context) => {
  calls += 1;
  if (event.fail) throw new TypeError('it failed');
  if (event.exit !== undefined) process.exit(event.exit);
  if (event.loop) for (;;);
  if (event.hang) await new Promise(() => setInterval(() => {}, 1000));
  if (event.late) { setTimeout(() => { throw new Error('late'); }, 1); await new Promise(() => {}); }
  if (event.leak) for (;;) { leak.push(Buffer.alloc(8_000_000, 1)); await new Promise((r) => setTimeout(r, 5)); }
  while (event.until && !existsSync(event.until)) await new Promise((r) => setTimeout(r, 5));
  if (event.waitMs) await new Promise((r) => setTimeout(r, event.waitMs));
  if (event.log) console.log(event.log);
  if (event.large) return 'x'.repeat(event.large);
  return {
    calls, pid: process.pid, version: context.functionVersion, arn: context.invokedFunctionArn,
    remainingMs: context.getRemainingTimeInMillis(), env: event.env ? { ...process.env } : undefined,
  };
};`;

let folder: string;
let host: LambdaHost | undefined;

beforeEach(async () => {
  folder = await temporaryFolder();
});

afterEach(async () => {
  await host?.stop();
  host = undefined;
  await removeFolder(folder);
});

async function makePlan(name: string, code: string, settings: Partial<FunctionPlan> = {}): Promise<FunctionPlan> {
  const taskRoot = join(folder, name);
  await mkdir(taskRoot);
  await writeFile(join(taskRoot, 'index.mjs'), code);
  return {
    name,
    arn: `${ARN}${name}`,
    logicalId: name,
    logName: name,
    handler: 'index.handler',
    taskRoot,
    memoryMiB: 256,
    timeoutMs: 10_000,
    environment: {},
    roleArn: 'arn:aws:iam::000000000000:role/r',
    logGroup: `/aws/lambda/${name}`,
    reservedConcurrency: undefined,
    qualifiers: { $LATEST: '$LATEST' },
    provisioned: {},
    ...settings,
  };
}

function open(functions: FunctionPlan[], options: Partial<LambdaHostOptions> = {}): LambdaHost {
  host = new LambdaHost({
    functions,
    logsDirectory: join(folder, 'logs'),
    endpointUrl: 'http://127.0.0.1:9',
    ...options,
  });
  return host;
}

async function openObedient(settings: Partial<FunctionPlan> = {}, options: Partial<LambdaHostOptions> = {}) {
  const running = open([await makePlan('obedient', OBEDIENT, settings)], options);
  return (event: object, functionName = 'obedient') => running.invoke({ functionName, payload: JSON.stringify(event) });
}

function answerOf({ outcome }: InvocationResult): Record<string, unknown> {
  if (outcome.kind !== 'responded') throw new Error(`the function did not answer: ${JSON.stringify(outcome)}`);
  return JSON.parse(outcome.payload.toString());
}

function failureOf({ outcome }: InvocationResult) {
  if (outcome.kind !== 'failed') throw new Error(`the function did not fail: ${JSON.stringify(outcome)}`);
  return errorOf(outcome.payload);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Counts on after its response, in a file that the test reads. */
const RESTLESS = `
import { writeFileSync } from 'node:fs';
let count = 0;
const write = () => writeFileSync('count', String(count++));
write();
setInterval(write, 1);
export const handler = () => process.pid;`;

async function isStopped(pid: number): Promise<boolean> {
  const { stdout } = await promisify(execFile)('ps', ['-o', 'state=', '-p', String(pid)]);
  return stdout.trim().startsWith('T');
}

describe('LambdaHost', () => {
  it('keeps an environment for the next invocation, and reports cold starts', async () => {
    const invoke = await openObedient();
    const first = await invoke({});
    const second = await invoke({});
    expect([first.coldStart, second.coldStart]).toEqual([true, false]);
    expect(answerOf(second)).toMatchObject({ calls: 2, pid: answerOf(first)['pid'], version: '$LATEST' });
  });

  it('uses the environment that was used last', async () => {
    const invoke = await openObedient({}, { maxEnvironments: 2 });
    const gate = join(folder, 'gate');
    const slow = invoke({ until: gate });
    await invoke({});
    await writeFile(gate, '');
    const { pid } = answerOf(await slow);
    expect(answerOf(await invoke({}))['pid']).toBe(pid);
  });

  it('passes a function the variables of Lambda and its own, and none of this machine', async () => {
    process.env['TENSORGATE_TEST_SECRET'] = 'of the host';
    const invoke = await openObedient({ environment: { MINE: 'yes', AWS_REGION: 'moon' } });
    const { env } = answerOf(await invoke({ env: true })) as { env: Record<string, string> };
    delete process.env['TENSORGATE_TEST_SECRET'];
    expect(env).toMatchObject({
      MINE: 'yes',
      AWS_REGION: 'us-east-1',
      AWS_LAMBDA_FUNCTION_NAME: 'obedient',
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '256',
      AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
      AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
      LAMBDA_TASK_ROOT: join(folder, 'obedient'),
      AWS_ENDPOINT_URL: 'http://127.0.0.1:9',
      TZ: ':UTC',
    });
    expect(env['AWS_ACCESS_KEY_ID']).toMatch(/^ASIA[0-9A-F]{16}$/);
    expect(env['TENSORGATE_TEST_SECRET']).toBeUndefined();
    expect(env['HOME']).toBeUndefined();
  });

  it('passes the remaining time to the handler', async () => {
    const invoke = await openObedient({ timeoutMs: 200_000 });
    const remainingMs = Number(answerOf(await invoke({}))['remainingMs']);
    expect(remainingMs).toBeGreaterThan(100_000);
    expect(remainingMs).toBeLessThanOrEqual(200_000);
  });

  it('returns the error of a handler that throws, and keeps its environment', async () => {
    const invoke = await openObedient();
    expect(failureOf(await invoke({ fail: true }))).toEqual({ errorType: 'TypeError', errorMessage: 'it failed' });
    expect((await invoke({})).coldStart).toBe(false);
  });

  it.each([
    ['exits with a status', { exit: 3 }, 'Runtime exited with error: exit status 3'],
    ['exits without one', { exit: 0 }, 'Runtime exited without providing a reason'],
    ['throws in a timer', { late: true }, 'Runtime exited with error: exit status 1'],
  ])('fails only the request of a function that %s, and starts a new environment', async (_, event, reason) => {
    const invoke = await openObedient();
    const result = await invoke(event);
    expect(failureOf(result)).toEqual({
      errorType: 'Runtime.ExitError',
      errorMessage: `RequestId: ${result.requestId} Error: ${reason}`,
    });
    expect(await invoke({})).toMatchObject({ coldStart: true, outcome: { kind: 'responded' } });
  });

  it.each([
    ['loops for ever', { loop: true }],
    ['never answers', { hang: true }],
  ])('kills a function that %s at its deadline', async (_, event) => {
    const invoke = await openObedient({ timeoutMs: 500 });
    const pending = invoke(event);
    while (host?.pids.length === 0) await setImmediate();
    const [pid = 0] = host?.pids ?? [];
    const result = await pending;
    expect(failureOf(result)).toEqual({
      errorType: 'Sandbox.Timedout',
      errorMessage: `RequestId: ${result.requestId} Error: Task timed out after 0.50 seconds`,
    });
    expect((await invoke({})).coldStart).toBe(true);
    while (isAlive(pid)) await setImmediate();
  });

  it('kills a function that takes more memory than it has', async () => {
    if (process.platform !== 'linux') return;
    const invoke = await openObedient({ memoryMiB: 128, timeoutMs: 200_000 });
    const result = await invoke({ leak: true });
    expect(failureOf(result)).toEqual({
      errorType: 'Runtime.ExitError',
      errorMessage: `RequestId: ${result.requestId} Error: Runtime exited with error: signal: killed`,
    });
  });

  it('fails only its request when an environment is killed from outside', async () => {
    const running = open([await makePlan('obedient', OBEDIENT)], { maxEnvironments: 2 });
    const invoke = (event: object) => running.invoke({ functionName: 'obedient', payload: JSON.stringify(event) });
    const { pid } = answerOf(await invoke({}));
    const victim = invoke({ waitMs: 5000 });
    const bystander = invoke({ waitMs: 200 });
    process.kill(Number(pid), 'SIGKILL');
    expect(failureOf(await victim).errorMessage).toMatch(/signal: killed$/);
    expect(answerOf(await bystander)).toMatchObject({ calls: 1 });
    expect(answerOf(await invoke({}))).toMatchObject({ calls: 2 });
  });

  it.each([
    ['its module throws', 'throw new RangeError("bad start");', 'index.handler', 'RangeError', /^bad start$/],
    ['it exports no handler', 'export const other = 1;', 'index.handler', 'Runtime.HandlerNotFound', /is undefined/],
    ['its module is not there', '', 'gone.handler', 'Runtime.ImportModuleError', /gone/],
    ['it exits', 'process.exit(7); export const handler = 1;', 'index.handler', 'Runtime.ExitError', /exit status 7$/],
    [
      'its handler takes a callback',
      'export const handler = (event, context, done) => done();',
      'index.handler',
      'Runtime.CallbackHandlerDeprecated',
      /callback/,
    ],
  ])('fails an invocation with the error of the init phase when %s', async (_, code, handler, errorType, message) => {
    const running = open([await makePlan('broken', code, { handler })]);
    const result = await running.invoke({ functionName: 'broken', payload: '{}' });
    expect(failureOf(result).errorType).toBe(errorType);
    expect(failureOf(result).errorMessage).toMatch(message);
    expect(running.pids).toEqual([]);
  });

  it('starts an init phase that takes too long once more, within the timeout of the function', async () => {
    const code = `await new Promise((r) => setTimeout(r, 700)); ${OBEDIENT}`;
    const running = open([await makePlan('slow', code)], { initLimitMs: 300 });
    expect(answerOf(await running.invoke({ functionName: 'slow', payload: '{}' }))).toMatchObject({ calls: 1 });
    const hopeless = await makePlan('hopeless', 'await new Promise((r) => setInterval(r, 1e9).ref && 0);', {
      timeoutMs: 300,
    });
    await running.stop();
    const result = await open([hopeless], { initLimitMs: 200 }).invoke({ functionName: 'hopeless', payload: '{}' });
    expect(failureOf(result).errorMessage).toBe(
      `RequestId: ${result.requestId} Error: Task timed out after 0.30 seconds`,
    );
  });

  it('queues requests in their order when all environments are busy', async () => {
    const invoke = await openObedient({}, { maxEnvironments: 1 });
    const order: number[] = [];
    await Promise.all([1, 2, 3, 4].map((index) => invoke({ waitMs: 20 }).then(() => order.push(index))));
    expect(order).toEqual([1, 2, 3, 4]);
  });

  it('throttles a request that waits for an environment longer than its function may take', async () => {
    const functions = [await makePlan('busy', OBEDIENT), await makePlan('waiting', OBEDIENT, { timeoutMs: 400 })];
    const running = open(functions, { maxEnvironments: 1 });
    const gate = join(folder, 'gate');
    const busy = running.invoke({ functionName: 'busy', payload: JSON.stringify({ until: gate }) });
    const waiting = await running.invoke({ functionName: 'waiting', payload: '{}' });
    expect(waiting.outcome.kind).toBe('throttled');
    await writeFile(gate, '');
    expect((await busy).outcome.kind).toBe('responded');
  });

  it('throttles a request that waits longer than it may, and serves those that came before', async () => {
    const invoke = await openObedient({}, { maxEnvironments: 1, maxWaitMs: 50 });
    await invoke({ waitMs: 100 });
    const gate = join(folder, 'gate');
    const first = invoke({ until: gate });
    // They are refused while the first one still runs.
    const others = await Promise.all([invoke({}), invoke({}), invoke({})]);
    expect(others.map(({ outcome }) => outcome)).toEqual(
      Array(3).fill(expect.objectContaining({ kind: 'throttled', reason: 'ConcurrentInvocationLimitExceeded' })),
    );
    await writeFile(gate, '');
    expect((await first).outcome.kind).toBe('responded');
    expect((await invoke({})).outcome.kind).toBe('responded');
  });

  it('lets requests wait for longer while environments start', async () => {
    const slow = `await new Promise((resolve) => setTimeout(resolve, 1500));\nexport const handler = () => 1;`;
    const running = open([await makePlan('slow', slow)], { maxEnvironments: 1, maxWaitMs: 1000 });
    const invoke = () => running.invoke({ functionName: 'slow', payload: '{}' });
    const outcomes = await Promise.all([invoke(), invoke()]);
    expect(outcomes.map(({ outcome }) => outcome.kind)).toEqual(['responded', 'responded']);
  });

  it('stops waiting when its caller gives up', async () => {
    const running = open([await makePlan('obedient', OBEDIENT)], { maxEnvironments: 1 });
    const giveUp = new AbortController();
    const busy = running.invoke({ functionName: 'obedient', payload: '{"waitMs":300}' });
    const waiting = running.invoke({ functionName: 'obedient', payload: '{}', signal: giveUp.signal });
    giveUp.abort();
    expect((await waiting).outcome).toMatchObject({ kind: 'throttled' });
    expect(answerOf(await busy)).toMatchObject({ calls: 1 });
  });

  it('lets a function that another one waits for run beyond the limit of environments', async () => {
    const running = open([await makePlan('obedient', OBEDIENT)], { maxEnvironments: 1 });
    const gate = join(folder, 'gate');
    const outer = running.invoke({ functionName: 'obedient', payload: JSON.stringify({ until: gate }) });
    const inner = await running.invoke({ functionName: 'obedient', payload: '{}', nested: true });
    expect(answerOf(inner)).toMatchObject({ calls: 1 });
    await writeFile(gate, '');
    await outer;
  });

  it('throttles beyond the reserved concurrency immediately', async () => {
    const invoke = await openObedient({ reservedConcurrency: 1 }, { maxEnvironments: 4 });
    const [first, second] = await Promise.all([invoke({ waitMs: 200 }), invoke({})]);
    expect(first?.outcome.kind).toBe('responded');
    expect(second?.outcome).toMatchObject({
      kind: 'throttled',
      reason: 'ReservedFunctionConcurrentInvocationLimitExceeded',
    });
  });

  it('replaces a function as a deployment does: an environment that works ends after its invocation', async () => {
    const plan = await makePlan('obedient', OBEDIENT, { environment: { RELEASE: 'one' } });
    const running = open([plan], { maxEnvironments: 2 });
    const invoke = (event: object) => running.invoke({ functionName: 'obedient', payload: JSON.stringify(event) });
    const release = join(folder, 'open');
    const before = invoke({ until: release, env: true });
    while (running.pids.length === 0) await setImmediate();
    await running.deploy((one) => ({ ...one, environment: { RELEASE: 'two' } }));
    const after = answerOf(await invoke({ env: true }));
    expect(after).toMatchObject({ calls: 1, env: { RELEASE: 'two' } });
    await writeFile(release, '');
    expect(answerOf(await before)).toMatchObject({ calls: 1, env: { RELEASE: 'one' } });
    while (running.pids.length > 1) await setImmediate();
    expect(running.pids).toEqual([after['pid']]);
  });

  it('kills the environment with a session token, and no other', async () => {
    const invoke = await openObedient({}, { maxEnvironments: 2 });
    const { pid, env } = answerOf(await invoke({ env: true }));
    host?.kill('unknown');
    expect(answerOf(await invoke({}))).toMatchObject({ pid });
    host?.kill((env as Record<string, string>)['AWS_SESSION_TOKEN'] ?? '');
    while (isAlive(Number(pid))) await setImmediate();
    expect(answerOf(await invoke({}))['pid']).not.toBe(pid);
  });

  it('a stalled environment does nothing more, and its invocation times out soon', async () => {
    let started = 0;
    const publish = ({ type }: Activity) => {
      if (type === 'invocation.started') started += 1;
    };
    const invoke = await openObedient({ timeoutMs: 60_000 }, { activity: { isFollowed: false, publish } });
    const { pid, env } = answerOf(await invoke({ env: true }));
    const release = join(folder, 'open');
    const stalled = invoke({ until: release });
    while (started < 2) await setImmediate();
    host?.stall('unknown');
    host?.stall((env as Record<string, string>)['AWS_SESSION_TOKEN'] ?? '');
    await writeFile(release, '');
    expect(failureOf(await stalled).errorMessage).toContain('timed out after 60.00 seconds');
    while (isAlive(Number(pid))) await setImmediate();
  });

  it('ends environments that are idle for long, but not provisioned ones', async () => {
    const plan = await makePlan('obedient', OBEDIENT, {
      qualifiers: { $LATEST: '$LATEST', '1': '1' },
      provisioned: { '1': 1 },
    });
    const running = open([plan], { maxEnvironments: 2 });
    await running.warmUp();
    await running.invoke({ functionName: 'obedient', payload: '{}' });
    await running.reapIdle();
    expect(running.pids).toHaveLength(2);
    await running.reapIdle(0);
    expect(running.pids).toHaveLength(1);
    expect((await running.invoke({ functionName: 'obedient', payload: '{}' })).coldStart).toBe(true);
    expect((await running.invoke({ functionName: 'obedient:1', payload: '{}' })).coldStart).toBe(false);
  });

  it('keeps provisioned environments warm, and replaces those that are lost', async () => {
    const plan = await makePlan('warm', OBEDIENT, {
      qualifiers: { $LATEST: '$LATEST', '1': '1', live: '1' },
      provisioned: { '1': 1 },
    });
    const running = open([plan]);
    await running.warmUp();
    const invoke = (event: object) =>
      running.invoke({ functionName: `${ARN}warm:live`, payload: JSON.stringify(event) });
    const first = await invoke({ env: true });
    expect(first).toMatchObject({ coldStart: false, version: '1' });
    const { env, arn, version } = answerOf(first) as { env: Record<string, string>; arn: string; version: string };
    expect(env['AWS_LAMBDA_INITIALIZATION_TYPE']).toBe('provisioned-concurrency');
    expect([arn, version]).toEqual([`${ARN}warm:live`, '1']);
    await invoke({ exit: 1 });
    await running.warmUp();
    expect((await invoke({})).coldStart).toBe(false);
  });

  it('refuses payloads over the limits of Lambda', async () => {
    const invoke = await openObedient();
    expect((await invoke({ filler: 'x'.repeat(MAX_REQUEST_BYTES) })).outcome.kind).toBe('too-large');
    expect(failureOf(await invoke({ large: 6_291_600 })).errorType).toBe('Function.ResponseSizeTooLarge');
    expect((await invoke({ large: 6_000_000 })).outcome.kind).toBe('responded');
  });

  it('rejects functions and qualifiers that are not in the template', async () => {
    const invoke = await openObedient();
    expect((await invoke({}, 'other')).outcome).toEqual({ kind: 'not-found', functionArn: `${ARN}other` });
    expect((await invoke({}, 'obedient:live')).outcome).toEqual({
      kind: 'not-found',
      functionArn: `${ARN}obedient:live`,
    });
  });

  it('writes what a function prints to its log, between the lines of Lambda', async () => {
    const invoke = await openObedient();
    const { requestId } = await invoke({ log: 'something to say' });
    await invoke({ exit: 1 });
    const log = await readFile(join(folder, 'logs', 'obedient.log'), 'utf8');
    expect(log).toContain(`START RequestId: ${requestId} Version: $LATEST\n`);
    expect(log).toContain(`\t${requestId}\tINFO\tsomething to say\n`);
    expect(log).toContain(`END RequestId: ${requestId}\nREPORT RequestId: ${requestId}\tDuration: `);
    expect(log).toMatch(/Memory Size: 256 MB\tMax Memory Used: \d+ MB\tInit Duration: [\d.]+ ms\n/);
    expect(log).toMatch(/\tStatus: error\n$/);
  });

  it('freezes an environment between invocations, so that nothing runs after its response', async () => {
    if (process.platform === 'win32') return;
    const [frozen, running] = [await makePlan('frozen', RESTLESS), await makePlan('running', RESTLESS)];
    const unfrozenHost = open([running], { freezes: false });
    await unfrozenHost.invoke({ functionName: 'running', payload: '{}' });
    const freezingHost = open([frozen]);
    const countOf = async ({ taskRoot }: FunctionPlan) => Number(await readFile(join(taskRoot, 'count'), 'utf8'));
    try {
      const first = await freezingHost.invoke({ functionName: 'frozen', payload: '{}' });
      const [pid = 0] = freezingHost.pids;
      while (!(await isStopped(pid))) await setImmediate();
      const [before, beforeRunning] = [await countOf(frozen), await countOf(running)];
      while ((await countOf(running)) < beforeRunning + 20) await setImmediate();
      expect(await countOf(frozen)).toBe(before);
      const second = await freezingHost.invoke({ functionName: 'frozen', payload: '{}' });
      expect([first, second].map(({ outcome, coldStart }) => [outcome.kind, coldStart])).toEqual([
        ['responded', true],
        ['responded', false],
      ]);
    } finally {
      await unfrozenHost.stop();
    }
  });

  it('freezes provisioned environments once they are initialized, and resumes them for their first invocation', async () => {
    if (process.platform === 'win32') return;
    const plan = await makePlan('warm', OBEDIENT, { provisioned: { $LATEST: 1 } });
    const running = open([plan]);
    await running.warmUp();
    const [pid = 0] = running.pids;
    while (!(await isStopped(pid))) await setImmediate();
    const result = await running.invoke({ functionName: 'warm', payload: '{}' });
    expect(result.coldStart).toBe(false);
    expect(answerOf(result)).toMatchObject({ calls: 1, pid });
  });

  it('leaves no process behind when it stops, not even a busy one', async () => {
    const running = open([await makePlan('obedient', OBEDIENT)], { maxEnvironments: 2 });
    const invoke = (event: object) => running.invoke({ functionName: 'obedient', payload: JSON.stringify(event) });
    await Promise.all([invoke({ waitMs: 100 }), invoke({ waitMs: 100 })]);
    const busy = invoke({ loop: true });
    const { pids } = running;
    expect(pids).toHaveLength(2);
    await running.stop();
    expect((await busy).outcome.kind).toBe('failed');
    expect(pids.filter(isAlive)).toEqual([]);
    expect((await invoke({})).outcome.kind).toBe('not-found');
  });
});
