import { createHash, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { chunksOf } from '../core/chunks-of.ts';
import { FUNCTIONS } from '../core/functions/functions.ts';
import { renderSettings } from '../core/functions/settings.ts';
import { KEY_HEADERS } from '../core/identity/credentials.ts';
import { KEYS_PER_VARIABLE, keyHashesVariable, renderKeyHashes } from '../core/identity/key-hashes.ts';
import { FunctionLog } from '../local/services/lambda/function-log.ts';
import type { FunctionPlan } from '../local/template/plan-functions.ts';
import { startEnvironment } from './environment.ts';
import { postEvent } from './gateway-event.ts';
import { REPOSITORY, WORK_DIRECTORY } from './repository.ts';
import { type Summary, summarize } from './statistics.ts';

/** Durations of the authorizer, by the number of keys that it knows. */
export interface AuthorizerResult {
  readonly keys: number;
  /** From spawning the process to the first result, in milliseconds. */
  readonly coldMs: Summary;
  /** Of that, the init phase. */
  readonly initMs: Summary;
  /** One invocation of a warm environment, the Runtime API of local mode included, in milliseconds. */
  readonly warmMs: Summary;
}

/** Keys of a deployment with the default plans, and of one with as many tenants as fit. */
const KEY_COUNTS = [3, 160];

const STARTS = 11;
const QUICK_STARTS = 3;
const CALLS = 300;
const QUICK_CALLS = 30;

/** Measures cold starts and warm invocations of the authorizer, under AWS's own runtime client. */
export async function measureAuthorizer(plan: FunctionPlan, quick: boolean): Promise<readonly AuthorizerResult[]> {
  const log = new FunctionLog(WORK_DIRECTORY, 'authorizer');
  const authorizer = planOf(plan);
  try {
    await startOnce(authorizer, log, eventOf(1), 0); // Later starts find the files in memory.
    const results: AuthorizerResult[] = [];
    for (const keys of KEY_COUNTS) results.push(await measureWith(keys, authorizer, log, quick));
    return results;
  } finally {
    log.close();
  }
}

async function measureWith(keys: number, plan: FunctionPlan, log: FunctionLog, quick: boolean) {
  const event = eventOf(keys);
  const starts = [];
  for (let start = 0; start < (quick ? QUICK_STARTS : STARTS); start++) {
    starts.push(await startOnce(plan, log, event, start === 0 ? (quick ? QUICK_CALLS : CALLS) : 0));
  }
  return {
    keys,
    coldMs: summarize(starts.map(({ totalMs }) => totalMs)),
    initMs: summarize(starts.map(({ initMs }) => initMs)),
    warmMs: summarize(starts.flatMap(({ warmMs }) => warmMs)),
  };
}

async function startOnce(plan: FunctionPlan, log: FunctionLog, payload: string, calls: number) {
  const startedMs = performance.now();
  const environment = await startEnvironment(plan, log);
  const invoke = async (): Promise<void> => {
    const request = { requestId: randomUUID(), payload, functionArn: plan.arn };
    const { kind } = await environment.invoke(request, plan.timeoutMs);
    if (kind !== 'responded') throw new Error(`the authorizer came to ${kind}; see ${log.file}`);
  };
  try {
    await environment.initialize(plan.timeoutMs);
    await invoke();
    const totalMs = performance.now() - startedMs;
    const warmMs: number[] = [];
    for (let call = 0; call < calls; call++) {
      const calledMs = performance.now();
      await invoke();
      warmMs.push(performance.now() - calledMs);
    }
    return { totalMs, initMs: environment.initMs, warmMs };
  } finally {
    await environment.stop();
  }
}

function planOf(plan: FunctionPlan): FunctionPlan {
  const { memoryMiB, timeoutSeconds } = FUNCTIONS.authorize;
  return {
    ...plan,
    name: 'authorize',
    handler: 'index.handler',
    taskRoot: join(REPOSITORY, 'dist/functions/authorize'),
    memoryMiB,
    timeoutMs: timeoutSeconds * 1000,
    environment: renderSettings({ acceptedHeaders: KEY_HEADERS }),
  };
}

/** A request with the last of the known keys. */
function eventOf(keys: number): string {
  const values = Array.from({ length: keys }, (_, index) => `${index}`.padStart(40, 'k'));
  const hashes = values.map((value, index) => ({
    id: `${index}`.padStart(10, '0'),
    hash: createHash('sha256').update(value).digest('base64url'),
  }));
  const variables = chunksOf(hashes, KEYS_PER_VARIABLE).map((chunk, index) => [
    keyHashesVariable(index),
    renderKeyHashes(chunk),
  ]);
  const { body: _, isBase64Encoded: __, ...event } = postEvent('/v1/embeddings', '{}');
  return JSON.stringify({
    ...event,
    type: 'REQUEST',
    methodArn: 'arn:aws:execute-api:us-east-1:000000000000:a1b2c3d4e5/dev/POST/v1/embeddings',
    headers: { ...event.headers, Authorization: `Bearer ${values.at(-1)}` },
    stageVariables: Object.fromEntries(variables),
  });
}
