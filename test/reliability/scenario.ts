import { at } from '../../core/at.ts';
import { WebhookReceiver } from '../app/webhook-receiver.ts';
import { checkBatch } from './batch-checks.ts';
import { CallersBucket } from './callers-bucket.ts';
import { inParallel, type PatientCaller, until } from './client.ts';
import { FaultInjector, FaultPlan } from './fault-injector.ts';
import { checkFragileBatch, checkFragileJobs, deadLetterCodes, submitFragileJobs } from './fragile-work.ts';
import { checkDeletedJob, checkJob, type Notification } from './job-checks.ts';
import { leftovers } from './leftovers.ts';
import { heldMiB, slopeOf, workerMiB } from './memory.ts';
import { Product } from './product.ts';
import { ENDPOINT, FORMAT, lineOf, MODEL, Submitter } from './submitter.ts';
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

/** Settings of a scenario. */
export interface ScenarioOptions {
  /** Folder of the app that `synthesizeFaultyApp` has synthesized. */
  readonly assembly: string;
  /** Folder for logs and keys. */
  readonly directory: string;
  readonly seed: number;
  /** About how many items to submit. */
  readonly items: number;
  /** Owns everything that the scenario opens. Its owner can end a scenario that hangs by disposing of it. */
  readonly resources: AsyncDisposableStack;
  /** Called after each wave with the facts so far. Defaults to nothing. */
  readonly onWave?: (facts: Readonly<Record<string, number>>) => void;
}

/** The findings at the end of a scenario. */
export interface ScenarioReport {
  /** Everything that is wrong; empty if nothing was lost or doubled. */
  readonly problems: readonly string[];
  /** How much was done, and how many faults were injected. */
  readonly facts: Readonly<Record<string, number>>;
  /** The final status of each job and batch, by its key; that of canceled work depends on what came first. */
  readonly outcomes: ReadonlyMap<string, string>;
}

/** Requests that are submitted concurrently. */
const WIDTH = 6;

/**
 * Timeout of the worker whose model can be made to run forever, which takes that much of the run's own time. It starts
 * nothing in the last five seconds.
 */
const FRAGILE_TIMEOUT_MS = 8000;

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Maximum local time in which a wave settles. */
const SETTLES_WITHIN_MS = 10 * DAY_MS;

/**
 * Steps in which waves settle, in turn. In a long step many retries are due, and run at the same time: it is longer than the
 * lease of a worker that was lost. In short steps each retry runs when it is due, which takes more real time. Retries of
 * webhooks are days apart.
 */
const SETTLING_STEPS = [
  { shortestMs: 45_000, longestMs: 6 * HOUR_MS },
  { shortestMs: 1000, longestMs: 6 * HOUR_MS },
] as const;

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
  const { assembly, directory, seed, resources } = options;
  const faultInjector = new FaultInjector(seed);
  const product = resources.use(await Product.start({ assembly, directory, faults: faultInjector.faults }));
  const receiver = new WebhookReceiver(faultInjector.webhookFault, () => product.stack.now());
  resources.defer(() => receiver.close());
  const bucket = resources.use(new CallersBucket(product.stack.endpointUrl));
  resources.defer(() => faultInjector.stop());
  return new Scenario(options, { product, faultInjector, receiver, bucket }).run(await receiver.listen());
}

interface ScenarioParts {
  readonly product: Product;
  readonly faultInjector: FaultInjector;
  readonly receiver: WebhookReceiver;
  readonly bucket: CallersBucket;
}

class Scenario {
  readonly #options: ScenarioOptions;
  readonly #product: Product;
  readonly #faultInjector: FaultInjector;
  readonly #receiver: WebhookReceiver;
  readonly #bucket: CallersBucket;
  readonly #submitter: Submitter;
  readonly #callers: Readonly<Record<Tenant, PatientCaller>>;
  /** Expected embeddings by text. */
  readonly #expected = new Map<string, string>();
  readonly #problems: string[] = [];
  readonly #plan: FaultPlan;
  readonly #outcomes = new Map<string, string>();
  readonly #startedMs: number;
  readonly #memory: { readonly items: number; readonly mib: number }[] = [];
  readonly #totals = { items: 0, jobs: 0, lines: 0, webhooks: 0, replies: 0, attempts: 0, deleted: 0 };
  #replies: Notification[] = [];
  readonly #startMiB = heldMiB();
  #steps: (typeof SETTLING_STEPS)[number] = SETTLING_STEPS[0];
  #busEvents = 0;
  #workerMiB = 0;

  constructor(options: ScenarioOptions, { product, faultInjector, receiver, bucket }: ScenarioParts) {
    const { stack } = product;
    this.#options = options;
    this.#plan = new FaultPlan(options.seed);
    this.#product = product;
    this.#faultInjector = faultInjector;
    this.#receiver = receiver;
    this.#bucket = bucket;
    this.#startedMs = stack.now();
    this.#submitter = new Submitter({ product, bucket, onProblem: (problem) => this.#problems.push(problem) });
    this.#callers = this.#submitter.callers;
    stack.activity.subscribe(({ type }) => {
      if (type === 'event.delivered') this.#busEvents += 1;
    });
  }

  async run(webhookUrl: string): Promise<ScenarioReport> {
    this.#submitter.webhookUrl = webhookUrl;
    await this.#limitTimeout();
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

  async #limitTimeout(): Promise<void> {
    await this.#product.stack.lambda.deploy((fn) =>
      fn.name.includes('fragile') ? { ...fn, timeoutMs: Math.min(fn.timeoutMs, FRAGILE_TIMEOUT_MS) } : fn,
    );
  }

  async #lookUpExpected(): Promise<void> {
    const texts = planTexts(this.#options.seed);
    const body = { model: MODEL, input: texts, encoding_format: FORMAT, truncate: true };
    const { json } = await this.#callers.internal.call('POST', ENDPOINT, { body });
    const data = json['data'] as readonly { readonly embedding: string }[];
    for (const [index, text] of texts.entries()) this.#expected.set(text, data[index]?.embedding ?? '');
  }

  async #runWave(wave: Wave): Promise<void> {
    this.#steps = at(SETTLING_STEPS, wave.index % SETTLING_STEPS.length);
    await this.#trustSecrets();
    this.#faultInjector.start();
    const ids = new Map<PlannedJob, string>();
    const batchIds = new Map<PlannedBatch, string>();
    let fragileBatch = '';
    await Promise.all([
      this.#submitJobs(wave, ids),
      ...wave.batches.map(async (batch) => batchIds.set(batch, await this.#submitter.batch(batch))),
      submitFragileJobs(wave.fragile, this.#callers.pro),
      this.#submitter.fragileBatch(wave.fragile, `fragile-${wave.index}`).then((id) => {
        fragileBatch = id;
      }),
      this.#submitter.messages(wave.invalidMessages.map(({ body }) => body)),
    ]);
    const others = (name: string) => !/webhooks/i.test(name);
    await this.#settle(others);
    this.#faultInjector.stop();
    await this.#settle(() => true);
    await this.#awaitEnds(wave, ids);
    await this.#check(wave, ids, batchIds);
    await this.#checkFragile(wave, fragileBatch);
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
    const outage = this.#plan.outage(index);
    const outageAt = Math.floor(outage.startsAt * jobs.length);
    const deployAt = Math.floor(jobs.length / 2);
    const stops = this.#plan.stops(index);
    let submitted = 0;
    await inParallel(jobs, WIDTH, async (job) => {
      if (submitted === outageAt) {
        const overMs = this.#product.stack.now() + outage.minutes * 60_000;
        this.#faultInjector.startOutage(outage, () => this.#product.stack.now() >= overMs);
      }
      for (const stop of stops) {
        if (submitted === Math.floor(stop.startsAt * jobs.length)) this.#faultInjector.armStop(stop);
      }
      if (submitted === deployAt) await this.#deploy(index);
      submitted += 1;
      ids.set(job, await this.#submitter.job(job));
    });
  }

  /** Replaces all functions by the same code with another setting, as a deployment does. */
  async #deploy(wave: number): Promise<void> {
    const release = { RELEASE: String(wave) };
    await this.#product.stack.lambda.deploy((fn) => ({ ...fn, environment: { ...fn.environment, ...release } }));
  }

  /** Moves time until all queues are empty. */
  async #settle(isLookedAt: (queue: string) => boolean): Promise<void> {
    const product = this.#product;
    let quietLooks = 0;
    const isSettled = async () => {
      await this.#takeReplies();
      await this.#submitter.deletions.retry();
      const looked = product.inFlight().filter(([name]) => isLookedAt(name));
      const isEmpty = looked.every(([, { waiting, inFlight, delayed }]) => waiting + inFlight + delayed === 0);
      quietLooks = isEmpty ? quietLooks + 1 : 0;
      return quietLooks === 3;
    };
    await product.passTime(product.stack.now() + SETTLES_WITHIN_MS, isSettled, this.#steps);
  }

  /** A job without a message is found by the sweep. */
  async #awaitEnds(wave: Wave, ids: ReadonlyMap<PlannedJob, string>): Promise<void> {
    const fragile = wave.fragile.jobs.map(({ key }) => ['pro', key] as const);
    let open = [...[...ids].map(([{ tenant }, id]) => [tenant, id] as const), ...fragile];
    await this.#product.passTime(this.#product.stack.now() + SWEPT_WITHIN_MS, async () => {
      await this.#submitter.deletions.retry();
      const states = await Promise.all(open.map(([tenant, id]) => this.#callers[tenant].call('GET', `/v1/jobs/${id}`)));
      open = open.filter((_, index) => ['queued', 'running'].includes(String(states[index]?.json['status'])));
      return open.length === 0 && this.#submitter.deletions.pending.length === 0;
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
      const response = await this.#callers[job.tenant].call('GET', `/v1/jobs/${id}`);
      const received = { replies: repliesOf?.get(id) ?? [], webhooks: webhooksOf?.get(id) ?? [] };
      const problems = job.isDeleted
        ? checkDeletedJob(response, received)
        : await checkJob(job, response, received, this.#expected);
      this.#problems.push(...problems.map((problem) => `${job.key} (${id}) ${problem}`));
      this.#outcomes.set(job.key, outcomeOf(job, response.json['status']));
      this.#totals.attempts += Number(response.json['attempts'] ?? 0);
    });
    for (const [batch, id] of batchIds) {
      const problems = await checkBatch(batch, id, this.#callers[batch.tenant], this.#expected);
      const events = new Set((webhooksOf?.get(id) ?? []).map(({ eventId }) => eventId)).size;
      const isNotified = batch.isDeleted ? events <= 1 : events === (batch.tenant === 'pro' ? 1 : 0);
      if (!isNotified) problems.push(`has ${events} webhooks`);
      this.#problems.push(...problems.map((problem) => `${batch.key} (${id}) ${problem}`));
      if (!batch.isDeleted) await this.#deleteFiles(id, this.#callers[batch.tenant]);
      this.#outcomes.set(batch.key, outcomeOf(batch, 'completed'));
    }
    for (const path of this.#submitter.deletions.pending) this.#problems.push(`${path} cannot be deleted`);
    this.#totals.deleted += [...wave.jobs, ...wave.batches].filter(({ isDeleted }) => isDeleted).length;
    if (!(await this.#bucket.clear())) this.#problems.push('objects in the bucket of the callers have changed');
    const events = wave.jobs.filter(({ wantsEvent, isDeleted }) => wantsEvent && !isDeleted).length;
    if (this.#busEvents < events) this.#problems.push(`${this.#busEvents} events came for ${events} jobs`);
    await this.#checkList(wave, ids);
    await this.#checkDeadLetters(wave);
  }

  /** The files of a batch that has ended can be deleted, and their contents are gone then. */
  async #deleteFiles(batchId: string, caller: PatientCaller): Promise<void> {
    const { json } = await caller.call('GET', `/v1/batches/${batchId}`);
    for (const member of ['input_file_id', 'output_file_id', 'error_file_id']) {
      const id = json[member];
      if (typeof id !== 'string') continue;
      const { status } = await caller.call('DELETE', `/v1/files/${id}`);
      // The input file of a batch that ended soon was deleted before.
      const isDeleted = status === 200 || (status === 404 && member === 'input_file_id');
      const content = await caller.call('GET', `/v1/files/${id}/content`);
      if (isDeleted && content.status === 404) continue;
      this.#problems.push(`deleting the ${member} of ${batchId} got ${status}, its content then ${content.status}`);
    }
  }

  /** Requests that end their worker have failed, and none of the others. */
  async #checkFragile({ fragile, index }: Wave, batchId: string): Promise<void> {
    const caller = this.#callers.pro;
    const { service } = this.#plan.outage(index);
    this.#problems.push(...(await checkFragileJobs(fragile, service, caller)));
    this.#problems.push(...(await checkFragileBatch(fragile, batchId, service, caller)));
  }

  /** Each accepted job is listed once, and no other. */
  async #checkList({ fragile }: Wave, ids: ReadonlyMap<PlannedJob, string>): Promise<void> {
    for (const tenant of TENANTS) {
      const listed: string[] = [];
      for (let after = ''; ; ) {
        const page = await this.#callers[tenant].call('GET', `/v1/jobs?limit=100${after}`);
        const { data, next_after: next } = page.json as { data: readonly { id: string }[]; next_after?: string };
        listed.push(...data.map(({ id }) => id));
        if (next === undefined) break;
        after = `&after=${encodeURIComponent(next)}`;
      }
      const own = [...ids].filter(([job]) => job.tenant === tenant && !job.isDeleted).map(([, id]) => id);
      const accepted = new Set([...own, ...(tenant === 'pro' ? fragile.jobs.map(({ key }) => key) : [])]);
      const orphans = listed.filter((id) => !accepted.has(id));
      if (orphans.length > 0) this.#problems.push(`${tenant} has jobs that were not submitted: ${orphans.join(', ')}`);
      if (new Set(listed).size !== listed.length) this.#problems.push(`${tenant} has a job listed twice`);
      const missing = accepted.size - new Set(listed.filter((id) => accepted.has(id))).size;
      if (missing > 0) this.#problems.push(`${tenant} has ${missing} jobs that are not listed`);
    }
  }

  async #checkDeadLetters({ invalidMessages, fragile, index }: Wave): Promise<void> {
    const codes = await this.#product.takeDeadLetterCodes();
    const ofFragile = deadLetterCodes(fragile, this.#plan.outage(index).service);
    const expected: readonly (readonly string[])[] = [...invalidMessages.map(({ code }) => [code]), ...ofFragile];
    // A message that is delivered twice can be refused twice.
    const unexpected = codes.filter((code) => !expected.flat().includes(code));
    const missing = expected.filter((some) => !some.some((code) => codes.includes(code)));
    if (unexpected.length > 0) this.#problems.push(`dead letters with ${unexpected.join(', ')}`);
    if (missing.length > 0) this.#problems.push(`no dead letter with ${missing.join(', ')}`);
  }

  /** The window of a batch ends while its chunks wait: each line is still in exactly one of its files. */
  async #checkLateBatch(): Promise<void> {
    const { stack } = this.#product;
    const caller = this.#callers.internal;
    const release = this.#faultInjector.held.hold(/chunks/i);
    const lines = Array.from({ length: LATE_LINES }, (_, index) => lineOf(`line-${index}`, `late ${index}`));
    const request = {
      input_file_id: await this.#submitter.upload(caller, lines),
      endpoint: ENDPOINT,
      completion_window: '24h',
    };
    const id = String((await caller.call('POST', '/v1/batches', { body: request })).json['id']);
    await until(`${id} is in progress`, async () => {
      return (await caller.call('GET', `/v1/batches/${id}`)).json['status'] === 'in_progress';
    });
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
    // Records that the sweep wrote meanwhile have expired as well.
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
      inputs: this.#submitter.inputs,
      ...this.#faultInjector.injected,
      submitRetries: this.#callers.internal.retries + this.#callers.pro.retries,
      refusedWebhooks: this.#receiver.refused,
      // Not of the scenario is what finished tests have left in this process.
      heldMiB: Math.round((this.#memory.at(-1)?.mib ?? this.#startMiB) - this.#startMiB),
      workerMiB: Math.round(this.#workerMiB),
      localHours: Math.round((this.#product.stack.now() - this.#startedMs) / HOUR_MS),
    };
  }
}

/** The outcome of canceled and deleted work, and of work that may lose its input, depends on what comes first. */
function outcomeOf(work: PlannedJob | PlannedBatch, status: unknown): string {
  if (work.isDeleted) return 'deleted';
  if (work.isCanceled) return 'canceled or completed';
  return 'input' in work && work.input === 'file that is deleted' ? 'succeeded or failed' : String(status);
}
