import { setTimeout as pause } from 'node:timers/promises';
import { SendMessageCommand } from '@aws-sdk/client-sqs';
import { jobIdOfEvent } from '../../core/jobs/job-id.ts';
import { sha256 } from '../../lambdas/shared/sha256.ts';
import { WebhookReceiver } from '../app/webhook-receiver.ts';
import { checkBatch } from './batch-checks.ts';
import { inParallel, PatientCaller } from './client.ts';
import { FaultInjector, FaultPlan } from './fault-injector.ts';
import { checkJob, type Notification } from './job-checks.ts';
import { leftovers } from './leftovers.ts';
import { heldMiB, slopeOf, workerMiB } from './memory.ts';
import { Product } from './product.ts';
import {
  itemsOf,
  type PlannedBatch,
  type PlannedJob,
  planTexts,
  planWaves,
  TENANTS,
  type Tenant,
  type Wave,
} from './work.ts';

/** What to run. */
export interface ScenarioOptions {
  /** Folder of the synthesized app. */
  readonly assembly: string;
  /** Folder for logs and keys. */
  readonly directory: string;
  readonly seed: number;
  /** About how many items to submit. */
  readonly items: number;
  /** Called after each wave with the facts so far. Defaults to nothing. */
  readonly onWave?: (facts: Readonly<Record<string, number>>) => void;
}

/** What was found at the end. */
export interface ScenarioReport {
  /** Everything that is wrong; empty if nothing was lost or doubled. */
  readonly problems: readonly string[];
  /** How much was done, and how many faults were injected. */
  readonly facts: Readonly<Record<string, number>>;
  /** The final status of each job and batch, by its key; that of canceled work depends on what came first. */
  readonly outcomes: ReadonlyMap<string, string>;
}

/** Work of the app's model. */
export const MODEL = 'minilm';
export const ENDPOINT = '/v1/embeddings';
export const FORMAT = 'base64';

const SOURCE = '/reliability';

/** Requests that are submitted concurrently. */
const WIDTH = 6;

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Maximum local time in which a wave settles. */
const SETTLES_WITHIN_MS = 10 * DAY_MS;

/** Retries of webhooks are days apart. */
const SETTLING_STEP_MS = 6 * HOUR_MS;

/** Maximum local time for what no message will settle any more. */
const SWEPT_WITHIN_MS = 4 * HOUR_MS;

/** All records of a wave have expired then: those of files live longest. */
const EXPIRES_WITHIN_MS = 90 * DAY_MS;

/** Lines of the batch whose window ends before it runs. */
const LATE_LINES = 250;

/** Growth of the memory that is not a leak: caches of functions and of the runtime fill up. */
const MAX_MIB_PER_1000_ITEMS = 2;

/** Waves at the start that fill caches, and number of waves of which a slope says something. */
const WARM_UP_WAVES = 3;
const SLOPE_WAVES = 6;

/**
 * Runs the scenario: waves of work are submitted while faults are injected, settled, checked and forgotten. Nothing is
 * redriven: all work must come to its right end by itself.
 */
export async function runScenario(options: ScenarioOptions): Promise<ScenarioReport> {
  const faultInjector = new FaultInjector(options.seed);
  const { assembly, directory } = options;
  await using product = await Product.start({ assembly, directory, faults: faultInjector.faults });
  const receiver = new WebhookReceiver(faultInjector.webhookFault, () => product.stack.now());
  try {
    return await new Scenario(options, { product, faultInjector, receiver }).run(await receiver.listen());
  } finally {
    faultInjector.stop();
    await receiver.close();
  }
}

interface ScenarioParts {
  readonly product: Product;
  readonly faultInjector: FaultInjector;
  readonly receiver: WebhookReceiver;
}

class Scenario {
  readonly #options: ScenarioOptions;
  readonly #product: Product;
  readonly #faultInjector: FaultInjector;
  readonly #receiver: WebhookReceiver;
  readonly #callers: Readonly<Record<Tenant, PatientCaller>>;
  /** Id of the key of producers' events. */
  readonly #keyId: string;
  /** Expected embeddings by text. */
  readonly #expected = new Map<string, string>();
  readonly #problems: string[] = [];
  readonly #outcomes = new Map<string, string>();
  readonly #startedMs: number;
  readonly #memory: { readonly items: number; readonly mib: number }[] = [];
  readonly #totals = { items: 0, jobs: 0, lines: 0, webhooks: 0, replies: 0, attempts: 0 };
  #replies: Notification[] = [];
  #busEvents = 0;
  #workerMiB = 0;
  #webhookUrl = '';

  constructor(options: ScenarioOptions, { product, faultInjector, receiver }: ScenarioParts) {
    const { stack } = product;
    this.#options = options;
    this.#product = product;
    this.#faultInjector = faultInjector;
    this.#receiver = receiver;
    this.#startedMs = stack.now();
    const { apiKeys } = stack.description;
    const keyOf = (tenant: Tenant) => apiKeys.find(({ plan }) => plan === tenant);
    const caller = (tenant: Tenant) => new PatientCaller(stack.url, keyOf(tenant)?.value ?? '');
    this.#callers = { internal: caller('internal'), pro: caller('pro') };
    const known = stack.plan.apis.flatMap((api) => api.apiKeys);
    this.#keyId = known.find(({ name }) => name === keyOf('internal')?.name)?.id ?? '';
    stack.activity.subscribe(({ type }) => {
      if (type === 'event.delivered') this.#busEvents += 1;
    });
  }

  async run(webhookUrl: string): Promise<ScenarioReport> {
    this.#webhookUrl = webhookUrl;
    await this.#lookUpExpected();
    // The tenant `pro` has registered its webhook, the other one names it with each job.
    await this.#callers.pro.call('POST', '/v1/webhooks', { body: { url: webhookUrl } });
    for (const wave of planWaves(this.#options.seed, this.#options.items)) {
      await this.#runWave(wave);
      this.#options.onWave?.(this.#facts());
    }
    this.#checkMemory();
    return { problems: this.#problems, facts: this.#facts(), outcomes: this.#outcomes };
  }

  async #lookUpExpected(): Promise<void> {
    const texts = planTexts(this.#options.seed);
    const body = { model: MODEL, input: texts, encoding_format: FORMAT, truncate: true };
    const { json } = await this.#callers.internal.call('POST', ENDPOINT, { body });
    const data = json['data'] as readonly { readonly embedding: string }[];
    for (const [index, text] of texts.entries()) this.#expected.set(text, data[index]?.embedding ?? '');
  }

  async #runWave(wave: Wave): Promise<void> {
    await this.#trustSecrets();
    this.#faultInjector.start();
    const ids = new Map<PlannedJob, string>();
    const batchIds = new Map<PlannedBatch, string>();
    await Promise.all([
      this.#submitJobs(wave, ids),
      ...wave.batches.map(async (batch) => batchIds.set(batch, await this.#submitBatch(batch))),
      this.#sendAll(wave.invalidMessages.map(({ body }) => body)),
    ]);
    const others = (name: string) => !/webhooks/i.test(name);
    await this.#settle(others);
    this.#faultInjector.stop();
    await this.#settle(() => true);
    await this.#awaitEnds(ids);
    await this.#check(wave, ids, batchIds);
    if (wave.index === 0) await this.#checkLateBatch();
    this.#forget(wave);
    await this.#checkExpiry(wave, ids);
    this.#measure();
  }

  /** Secrets of tenants expire with everything else in between two waves. */
  async #trustSecrets(): Promise<void> {
    const secrets: string[] = [];
    for (const tenant of TENANTS) {
      const { json } = await this.#callers[tenant].call('GET', '/v1/webhooks/secret');
      const [newest] = json['secrets'] as readonly { readonly secret: string }[];
      secrets.push(newest?.secret ?? '');
    }
    this.#receiver.trust(...secrets);
  }

  async #submitJobs({ jobs, index }: Wave, ids: Map<PlannedJob, string>): Promise<void> {
    const outage = new FaultPlan(this.#options.seed).outage(index);
    const outageAt = Math.floor(outage.startsAt * jobs.length);
    const deployAt = Math.floor(jobs.length / 2);
    let submitted = 0;
    await inParallel(jobs, WIDTH, async (job) => {
      if (submitted === outageAt) {
        const overMs = this.#product.stack.now() + outage.minutes * 60_000;
        this.#faultInjector.startOutage(outage, () => this.#product.stack.now() >= overMs);
      }
      if (submitted === deployAt) await this.#deploy(index);
      submitted += 1;
      const id = await this.#submit(job);
      ids.set(job, id);
      if (job.isCanceled && job.via !== 'queue') {
        await this.#callers[job.tenant].call('POST', `/v1/jobs/${id}/cancel`);
      }
    });
  }

  /** Replaces all functions by the same code with another setting, as a deployment does. */
  async #deploy(wave: number): Promise<void> {
    const release = { RELEASE: String(wave) };
    await this.#product.stack.lambda.deploy((fn) => ({ ...fn, environment: { ...fn.environment, ...release } }));
  }

  async #submit(job: PlannedJob): Promise<string> {
    const body = { model: MODEL, input: job.texts, encoding_format: FORMAT, truncate: true };
    const webhook = job.wantsWebhook ? this.#webhookUrl : undefined;
    const request = {
      endpoint: ENDPOINT,
      body,
      ...(webhook === undefined ? {} : { webhook_url: webhook }),
      ...(job.wantsReply ? { reply_queue: 'results' } : {}),
      ...(job.wantsEvent ? { event_bus: true } : {}),
    };
    if (job.via === 'queue') return this.#sendEvent(job.key, request);
    const caller = this.#callers[job.tenant];
    const headers = {
      prefer: 'respond-async',
      'idempotency-key': job.key,
      ...(webhook === undefined ? {} : { 'x-webhook-url': webhook }),
    };
    const { status, json } =
      job.via === 'put'
        ? await caller.call('PUT', `/v1/jobs/${job.key}`, { body: request })
        : await caller.call('POST', ENDPOINT, { body, headers });
    if (status !== 200 && status !== 202) this.#problems.push(`${job.key} got ${status}: ${JSON.stringify(json)}`);
    return String(json['id']);
  }

  async #sendEvent(id: string, data: object): Promise<string> {
    const event = { specversion: '1.0', id, source: SOURCE, type: 'tensorgate.job.v1', apikeyid: this.#keyId, data };
    await this.#sendAll([JSON.stringify(event)]);
    return jobIdOfEvent(sha256, SOURCE, id);
  }

  async #sendAll(bodies: readonly string[]): Promise<void> {
    const { stack, sqs } = this.#product;
    const url = stack.description.queues['jobs'];
    for (const body of bodies) await sqs.send(new SendMessageCommand({ QueueUrl: url, MessageBody: body }));
  }

  async #submitBatch({ tenant, key, lines, isCanceled }: PlannedBatch): Promise<string> {
    const caller = this.#callers[tenant];
    const texts = lines.map((line, index) => (typeof line === 'string' ? lineOf(`line-${index}`, line) : line.broken));
    const fileId = await this.#upload(caller, texts);
    const request = { input_file_id: fileId, endpoint: ENDPOINT, completion_window: '24h' };
    const headers = { 'idempotency-key': key };
    const { status, json } = await caller.call('POST', '/v1/batches', { body: request, headers });
    if (status !== 200) this.#problems.push(`${key} is refused with ${status} ${json['code']}`);
    const id = String(json['id']);
    if (isCanceled) await caller.call('POST', `/v1/batches/${id}/cancel`);
    return id;
  }

  async #upload(caller: PatientCaller, lines: readonly string[]): Promise<string> {
    const bytes = Buffer.from(`${lines.join('\n')}\n`);
    const declared = { filename: 'lines.jsonl', purpose: 'batch', bytes: bytes.length };
    const { json } = await caller.call('POST', '/v1/files', { body: declared });
    await caller.put(String(json['upload_url']), bytes);
    return String(json['id']);
  }

  /** Moves time until all queues are empty. */
  async #settle(isLookedAt: (queue: string) => boolean): Promise<void> {
    const product = this.#product;
    let quietLooks = 0;
    const isSettled = async () => {
      await this.#takeReplies();
      const looked = product.inFlight().filter(([name]) => isLookedAt(name));
      const isEmpty = looked.every(([, { waiting, inFlight, delayed }]) => waiting + inFlight + delayed === 0);
      quietLooks = isEmpty ? quietLooks + 1 : 0;
      return quietLooks === 3;
    };
    await product.passTime(product.stack.now() + SETTLES_WITHIN_MS, isSettled, { longestMs: SETTLING_STEP_MS });
  }

  /** A job without a message is found by the sweep. */
  async #awaitEnds(ids: ReadonlyMap<PlannedJob, string>): Promise<void> {
    let open = [...ids];
    await this.#product.passTime(this.#product.stack.now() + SWEPT_WITHIN_MS, async () => {
      const states = await Promise.all(
        open.map(([job, id]) => this.#callers[job.tenant].call('GET', `/v1/jobs/${id}`)),
      );
      open = open.filter((_, index) => ['queued', 'running'].includes(String(states[index]?.json['status'])));
      return open.length === 0;
    });
    await this.#settle(() => true);
  }

  async #takeReplies(): Promise<void> {
    for (const text of await this.#product.takeMessages('results')) {
      const { id, data } = JSON.parse(text) as { id: string; data: { id: string; status: string } };
      this.#replies.push({ eventId: id, subject: data.id, status: data.status });
    }
  }

  async #check(
    wave: Wave,
    ids: ReadonlyMap<PlannedJob, string>,
    batchIds: ReadonlyMap<PlannedBatch, string>,
  ): Promise<void> {
    const webhooks = this.#receiver.events.map(({ id, body: { data } }) => {
      return { eventId: id, subject: String(data['id']), status: String(data['status']) };
    });
    const [repliesOf, webhooksOf] = [this.#replies, webhooks].map((all) => Map.groupBy(all, ({ subject }) => subject));
    await inParallel([...ids], WIDTH, async ([job, id]) => {
      const { status, json } = await this.#callers[job.tenant].call('GET', `/v1/jobs/${id}`);
      const received = { replies: repliesOf?.get(id) ?? [], webhooks: webhooksOf?.get(id) ?? [] };
      const problems = await checkJob(job, { status, json }, received, this.#expected);
      this.#problems.push(...problems.map((problem) => `${job.key} (${id}) ${problem}`));
      this.#outcomes.set(job.key, job.isCanceled ? 'canceled or succeeded' : String(json['status']));
      this.#totals.attempts += Number(json['attempts'] ?? 0);
    });
    for (const [batch, id] of batchIds) {
      const problems = await checkBatch(batch, id, this.#callers[batch.tenant], this.#expected);
      const events = new Set((webhooksOf?.get(id) ?? []).map(({ eventId }) => eventId)).size;
      if (batch.tenant === 'pro' && events !== 1) problems.push(`has ${events} webhooks`);
      this.#problems.push(...problems.map((problem) => `${batch.key} (${id}) ${problem}`));
      this.#outcomes.set(batch.key, batch.isCanceled ? 'canceled or completed' : 'completed');
    }
    const events = wave.jobs.filter(({ wantsEvent }) => wantsEvent).length;
    if (this.#busEvents < events) this.#problems.push(`${this.#busEvents} events came for ${events} jobs`);
    await this.#checkList(ids);
    await this.#checkDeadLetters(wave);
  }

  /** Each accepted job is listed once, and no other. */
  async #checkList(ids: ReadonlyMap<PlannedJob, string>): Promise<void> {
    for (const tenant of TENANTS) {
      const listed: string[] = [];
      for (let after = ''; ; ) {
        const page = await this.#callers[tenant].call('GET', `/v1/jobs?limit=100${after}`);
        const { data, next_after: next } = page.json as { data: readonly { id: string }[]; next_after?: string };
        listed.push(...data.map(({ id }) => id));
        if (next === undefined) break;
        after = `&after=${encodeURIComponent(next)}`;
      }
      const accepted = new Set([...ids].filter(([job]) => job.tenant === tenant).map(([, id]) => id));
      const orphans = listed.filter((id) => !accepted.has(id));
      if (orphans.length > 0) this.#problems.push(`${tenant} has jobs that were not submitted: ${orphans.join(', ')}`);
      if (new Set(listed).size !== listed.length) this.#problems.push(`${tenant} has a job listed twice`);
      const missing = accepted.size - new Set(listed.filter((id) => accepted.has(id))).size;
      if (missing > 0) this.#problems.push(`${tenant} has ${missing} jobs that are not listed`);
    }
  }

  async #checkDeadLetters({ invalidMessages }: Wave): Promise<void> {
    const codes = await this.#product.takeDeadLetterCodes();
    const expected = new Set<string>(invalidMessages.map(({ code }) => code));
    // A message that is delivered twice can be refused twice.
    const unexpected = codes.filter((code) => !expected.has(code));
    const missing = [...expected].filter((code) => !codes.includes(code));
    if (unexpected.length > 0) this.#problems.push(`dead letters with ${unexpected.join(', ')}`);
    if (missing.length > 0) this.#problems.push(`no dead letter with ${missing.join(', ')}`);
  }

  /** The window of a batch ends while its chunks wait: each line is still in exactly one of its files. */
  async #checkLateBatch(): Promise<void> {
    const { stack } = this.#product;
    const caller = this.#callers.internal;
    const release = this.#faultInjector.held.hold(/chunks/i);
    const lines = Array.from({ length: LATE_LINES }, (_, index) => lineOf(`line-${index}`, `late ${index}`));
    const request = { input_file_id: await this.#upload(caller, lines), endpoint: ENDPOINT, completion_window: '24h' };
    const id = String((await caller.call('POST', '/v1/batches', { body: request })).json['id']);
    while ((await caller.call('GET', `/v1/batches/${id}`)).json['status'] !== 'in_progress') await pause(20);
    await stack.advance(25 * HOUR_MS);
    release();
    await this.#settle(() => true);
    const { json } = await caller.call('GET', `/v1/batches/${id}`);
    const counts = JSON.stringify({ total: LATE_LINES, completed: 0, failed: LATE_LINES });
    if (json['status'] !== 'expired') this.#problems.push(`the late batch is ${json['status']}`);
    if (JSON.stringify(json['request_counts']) !== counts) {
      this.#problems.push(`the late batch counts ${JSON.stringify(json['request_counts'])}`);
    }
    const errors = await this.#product.readLines(json['error_file_id']);
    const ids = new Set(errors.map(({ custom_id: customId }) => customId));
    if (errors.length !== LATE_LINES || ids.size !== LATE_LINES) {
      this.#problems.push(`the late batch has ${errors.length} error lines of ${ids.size} lines`);
    }
  }

  /** Once everything has expired, no caller sees it, and nothing of it is left. */
  async #checkExpiry(wave: Wave, ids: ReadonlyMap<PlannedJob, string>): Promise<void> {
    const { stack } = this.#product;
    await stack.advance(EXPIRES_WITHIN_MS);
    await this.#settle(() => true);
    // What the sweep wrote meanwhile has expired as well.
    await stack.advance(EXPIRES_WITHIN_MS);
    const [first] = ids;
    if (first !== undefined) {
      const { status } = await this.#callers[first[0].tenant].call('GET', `/v1/jobs/${first[1]}`);
      if (status !== 404) this.#problems.push(`an expired job is answered ${status}`);
    }
    const left = await leftovers(stack);
    if (left.length > 0) this.#problems.push(`wave ${wave.index} has left ${left.join(', ')}`);
  }

  #forget(wave: Wave): void {
    this.#totals.items += itemsOf(wave);
    this.#totals.jobs += wave.jobs.length;
    this.#totals.lines += wave.batches.reduce((total, { lines }) => total + lines.length, 0);
    this.#totals.webhooks += this.#receiver.events.length;
    this.#totals.replies += this.#replies.length;
    this.#receiver.events.length = 0;
    this.#replies = [];
    this.#busEvents = 0;
    // The outcomes of a run of any size are not kept.
    if (wave.index > WARM_UP_WAVES) this.#outcomes.clear();
  }

  #measure(): void {
    this.#memory.push({ items: this.#totals.items, mib: heldMiB() });
    this.#workerMiB = Math.max(this.#workerMiB, ...this.#product.stack.lambda.pids.map(workerMiB));
  }

  /** Memory that grows with the number of items, although all of them have expired, is a leak. */
  #checkMemory(): void {
    const measured = this.#memory.slice(WARM_UP_WAVES);
    if (measured.length < SLOPE_WAVES) return;
    const slope = 1000 * slopeOf(measured.map(({ items, mib }) => [items, mib]));
    if (slope > MAX_MIB_PER_1000_ITEMS) this.#problems.push(`the host grows by ${slope.toFixed(2)} MiB in 1000 items`);
  }

  #facts(): Record<string, number> {
    return {
      ...this.#totals,
      ...this.#faultInjector.injected,
      submitRetries: this.#callers.internal.retries + this.#callers.pro.retries,
      refusedWebhooks: this.#receiver.refused,
      heldMiB: Math.round(this.#memory.at(-1)?.mib ?? 0),
      workerMiB: Math.round(this.#workerMiB),
      localHours: Math.round((this.#product.stack.now() - this.#startedMs) / HOUR_MS),
    };
  }
}

function lineOf(customId: string, text: string): string {
  const body = { model: MODEL, input: text, encoding_format: FORMAT };
  return JSON.stringify({ custom_id: customId, method: 'POST', url: ENDPOINT, body });
}
