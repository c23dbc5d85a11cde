import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type LocalStack, startLocal } from '../local/start.ts';
import type { Assembly } from './assembly.ts';
import { MODEL_ID, WORK_DIRECTORY } from './repository.ts';
import { type Summary, summarize } from './statistics.ts';
import { makeTexts } from './texts.ts';

/** How much one tenant submits. */
export interface FairnessLoad {
  readonly jobs: number;
  /** How many of the jobs have a webhook to a receiver that takes ten seconds. */
  readonly webhooks: number;
}

/** Durations of the jobs and webhooks of a quiet tenant, in milliseconds. */
export interface FairnessResult extends FairnessLoad {
  /** From acceptance to the end of a job, with nothing else to do. */
  readonly idleJobMs: Summary;
  readonly busyJobMs: Summary;
  /** From the end of a job to its webhook, with nothing else to do. */
  readonly idleWebhookMs: Summary;
  readonly busyWebhookMs: Summary;
  /** Jobs of the other tenant that ended while a job of the quiet tenant waited or ran. */
  readonly endedMeanwhile: Summary;
  /** Jobs of the other tenant that had not ended when the last job of the quiet tenant was measured. */
  readonly leftOver: number;
}

/** Tenants of the issue: 20,000 jobs and 1,000 webhooks. */
const LOAD: FairnessLoad = { jobs: 20_000, webhooks: 1000 };
const QUICK_LOAD: FairnessLoad = { jobs: 600, webhooks: 60 };

const SLOW_RECEIVER_MS = 10_000;
const CONNECTIONS = 16;
const SAMPLES = 15;
const POLL_MS = 5;

/** Longest wait for one job or webhook. */
const LIMIT_MS = 120_000;

/** Measures single jobs and webhooks of a tenant, first alone and then while another tenant has a backlog. */
export async function measureFairness(assembly: Assembly, quick: boolean): Promise<FairnessResult> {
  const load = quick ? QUICK_LOAD : LOAD;
  const quickReceiver = await listen(0);
  const slowReceiver = await listen(SLOW_RECEIVER_MS);
  let isOpen: Promise<void> | undefined;
  const server = await startLocal({
    assembly: assembly.directory,
    directory: join(WORK_DIRECTORY, 'fairness'),
    port: 0,
    allowLoopbackWebhooks: true,
    faults: { onDelivery: ({ functionArn }) => (functionArn.includes('runjobs') ? { heldUntil: isOpen } : undefined) },
  });
  const [noisyKey = '', quietKey = ''] = server.description.apiKeys.map(({ value }) => value);
  try {
    const sample = (text: string) => measureOne(server, { key: quietKey, text, receiver: quickReceiver });
    for (const text of makeTexts(5, 1)) await sample(text);
    const idle = await inTurn(makeTexts(SAMPLES, 2), sample);
    // Workers begin when all is submitted: on a small machine they would be done as soon as that.
    const gate = Promise.withResolvers<void>();
    isOpen = gate.promise;
    const ids = await flood(server, noisyKey, load, slowReceiver.url);
    isOpen = undefined;
    gate.resolve();
    await until(async () => ((await readJob(server, noisyKey, ids[0] ?? '')).ended_at === null ? undefined : true));
    const busy = await inTurn(makeTexts(SAMPLES, 3), sample);
    const leftOver = await countOpen(server, noisyKey, ids);
    const ends = await endsOf(server, noisyKey, ids.slice(0, ids.length - leftOver + CONNECTIONS));
    return {
      ...load,
      idleJobMs: summarize(idle.map(({ jobMs }) => jobMs)),
      busyJobMs: summarize(busy.map(({ jobMs }) => jobMs)),
      idleWebhookMs: summarize(idle.map(({ webhookMs }) => webhookMs)),
      busyWebhookMs: summarize(busy.map(({ webhookMs }) => webhookMs)),
      endedMeanwhile: summarize(
        busy.map(({ createdMs, endedMs }) => ends.filter((ms) => ms > createdMs && ms < endedMs).length),
      ),
      leftOver,
    };
  } finally {
    await server.stop();
    await Promise.all([quickReceiver.close(), slowReceiver.close()]);
  }
}

interface Receiver {
  readonly url: string;
  /** When the webhook of a job arrived, milliseconds since the Unix epoch. */
  readonly arrived: ReadonlyMap<string, number>;
  close(): Promise<void>;
}

async function listen(delayMs: number): Promise<Receiver> {
  const arrived = new Map<string, number>();
  const server: Server = createServer(async (request, response) => {
    const atMs = Date.now();
    const event = JSON.parse(await textOf(request)) as { readonly data: { readonly id: string } };
    if (!arrived.has(event.data.id)) arrived.set(event.data.id, atMs);
    setTimeout(() => response.writeHead(204).end(), delayMs).unref();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    arrived,
    close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

/** A job and its webhook; times in milliseconds since the Unix epoch. */
interface Sample {
  readonly createdMs: number;
  readonly endedMs: number;
  readonly jobMs: number;
  readonly webhookMs: number;
}

async function measureOne(
  server: LocalStack,
  { key, text, receiver }: { readonly key: string; readonly text: string; readonly receiver: Receiver },
): Promise<Sample> {
  const id = await submit(server, key, text, receiver.url);
  const job = await until(async () => {
    const found = await readJob(server, key, id);
    return found.ended_at === null ? undefined : found;
  });
  const arrivedMs = await until(async () => receiver.arrived.get(id));
  const endedMs = Date.parse(job.ended_at ?? '');
  const createdMs = Date.parse(job.created_at);
  return { createdMs, endedMs, jobMs: endedMs - createdMs, webhookMs: Math.max(0, arrivedMs - endedMs) };
}

/** Submits the jobs of the noisy tenant; those with webhooks are spread over all. */
async function flood(
  server: LocalStack,
  key: string,
  { jobs, webhooks }: FairnessLoad,
  webhookUrl: string,
): Promise<readonly string[]> {
  const texts = makeTexts(jobs, 4);
  const every = Math.max(1, Math.floor(jobs / webhooks));
  const ids: string[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < texts.length; index = next++) {
      ids.push(await submit(server, key, texts[index] ?? '', index % every === 0 ? webhookUrl : undefined));
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, worker));
  return ids;
}

async function submit(server: LocalStack, key: string, text: string, webhookUrl?: string): Promise<string> {
  const response = await fetch(`${server.url}/v1/embeddings`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      prefer: 'respond-async',
      'x-api-key': key,
      ...(webhookUrl === undefined ? {} : { 'x-webhook-url': webhookUrl }),
    },
    body: JSON.stringify({ model: MODEL_ID, input: text }),
  });
  if (response.status === 503) {
    await response.body?.cancel();
    await pause(1000 * Number(response.headers.get('retry-after') ?? 1));
    return submit(server, key, text, webhookUrl);
  }
  if (response.status !== 202) throw new Error(`a job was answered ${response.status}: ${await response.text()}`);
  return ((await response.json()) as { id: string }).id;
}

interface ReadJob {
  readonly created_at: string;
  readonly ended_at: string | null;
}

async function readJob({ url }: LocalStack, key: string, id: string): Promise<ReadJob> {
  const response = await fetch(`${url}/v1/jobs/${id}`, { headers: { 'x-api-key': key } });
  return (await response.json()) as ReadJob;
}

/** The backlog is received in order, so the first half says enough. */
async function countOpen(server: LocalStack, key: string, ids: readonly string[]): Promise<number> {
  let [low, high] = [0, ids.length];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if ((await readJob(server, key, ids[middle] ?? '')).ended_at === null) high = middle;
    else low = middle + 1;
  }
  return ids.length - low;
}

/** When jobs ended, milliseconds since the Unix epoch; of those that have ended. */
async function endsOf(server: LocalStack, key: string, ids: readonly string[]): Promise<number[]> {
  const jobs = await inTurn(ids, (id) => readJob(server, key, id));
  return jobs.flatMap(({ ended_at: at }) => (at === null ? [] : [Date.parse(at)]));
}

async function inTurn<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (const item of items) results.push(await work(item));
  return results;
}

async function until<T>(look: () => Promise<T | undefined>): Promise<T> {
  const endMs = performance.now() + LIMIT_MS;
  while (performance.now() < endMs) {
    const found = await look();
    if (found !== undefined) return found;
    await pause(POLL_MS);
  }
  throw new Error(`nothing came within ${LIMIT_MS / 1000} s`);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
