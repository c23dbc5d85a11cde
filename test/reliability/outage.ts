import type { LocalFaults } from '../../local/aws/faults.ts';
import { WebhookReceiver } from '../app/webhook-receiver.ts';
import { until } from './client.ts';
import { HeldDeliveries } from './held-deliveries.ts';
import { Product, type ProductOptions } from './product.ts';
import { SERVICES, type ServiceName } from './services.ts';

/** The state of work that was accepted before an outage. */
export interface OutageReport {
  /** Local seconds from the end of the outage until everything was settled; undefined if an hour was not enough. */
  readonly settledAfterSeconds: number | undefined;
  /** Jobs and batches that ended without the results that they should have. */
  readonly failed: readonly string[];
  /** Jobs, batches and notifications that had not come to an end. */
  readonly stranded: readonly string[];
  /** Events with several ids for one job, and dead letters. */
  readonly problems: readonly string[];
}

const HOUR_MS = 3_600_000;
const MODEL = 'minilm';
const ENDPOINT = '/v1/embeddings';

/** Steps by which the time of an outage passes: at least a quarter of an hour of one that takes six hours. */
const OUTAGE_STEPS = 24;

/** Lines of each batch: two chunks. */
const LINES = 250;

/** A text so long that the input of its job is stored in S3. Seven vectors are stored there as well. */
const LARGE_TEXT = 'parcel '.repeat(35_000);

/** Queues that are held until the outage starts, so that it meets work in every state. */
const MODEL_QUEUES = /(jobs|chunks)minilm/;

interface AcceptedJob {
  readonly id: string;
  readonly destination: 'reply' | 'webhook' | 'event' | 'none';
}

/** An event of the reply queue; its subject is the job. */
interface Reply {
  readonly id: string;
  readonly subject: string;
}

/** Runs outages of the product, one after another. */
export class OutageLab implements AsyncDisposable {
  readonly #product: Product;
  readonly #receiver: WebhookReceiver;
  readonly #webhookUrl: string;
  readonly #outages: OutageSwitch;
  /** Events of the reply queue. */
  readonly #replies: Reply[] = [];
  /** Number of events that the bus delivered. */
  #busEvents = 0;
  #runs = 0;

  private constructor(product: Product, receiver: WebhookReceiver, webhookUrl: string, outages: OutageSwitch) {
    this.#product = product;
    this.#receiver = receiver;
    this.#webhookUrl = webhookUrl;
    this.#outages = outages;
    product.stack.activity.subscribe(({ type }) => {
      if (type === 'event.delivered') this.#busEvents += 1;
    });
  }

  /** Starts the product and a receiver of webhooks. */
  static async start(options: Omit<ProductOptions, 'faults'>): Promise<OutageLab> {
    const outages = new OutageSwitch();
    const product = await Product.start({ ...options, faults: outages.faults });
    const receiver = new WebhookReceiver(undefined, () => product.stack.now());
    const url = await receiver.listen();
    const { secrets } = await product.call('GET', '/v1/webhooks/secret');
    receiver.trust((secrets as readonly { readonly secret: string }[])[0]?.secret ?? '');
    await product.call('POST', ENDPOINT, { model: MODEL, input: 'warm' });
    return new OutageLab(product, receiver, url, outages);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#receiver.close();
    await this.#product[Symbol.asyncDispose]();
  }

  /** Accepts work, makes a service fail for a local time, and looks at the work once it is settled. */
  async run(service: ServiceName, durationMs: number): Promise<OutageReport> {
    const product = this.#product;
    const { stack } = product;
    const run = `outage-${this.#runs++}`;
    this.#receiver.events.length = 0;
    this.#replies.length = 0;
    this.#busEvents = 0;
    const release = this.#outages.held.hold(MODEL_QUEUES);
    const jobs = await this.#submitJobs(run);
    const split = await this.#createBatch();
    await until(
      `${split} is in progress`,
      async () => (await this.#statusOf(`/v1/batches/${split}`)) === 'in_progress',
    );
    // The outage meets this one before it is split.
    const batches = [split, await this.#createBatch()];
    this.#outages.start(SERVICES[service]);
    release();
    const steps = { shortestMs: Math.max(1000, durationMs / OUTAGE_STEPS) };
    await product.passTime(stack.now() + durationMs, () => false, steps);
    this.#outages.end();
    const endedMs = stack.now();
    await product.passTime(endedMs + HOUR_MS, async () => (await this.#openWork(jobs, batches)).length === 0);
    const stranded = await this.#openWork(jobs, batches);
    return {
      settledAfterSeconds: stranded.length > 0 ? undefined : Math.round((stack.now() - endedMs) / 1000),
      stranded,
      failed: [...(await this.#failedJobs(jobs)), ...(await this.#failedBatches(batches))],
      problems: await this.#problems(jobs),
    };
  }

  async #submitJobs(run: string): Promise<AcceptedJob[]> {
    const destinations = ['reply', 'webhook', 'event', 'none'] as const;
    const jobs = destinations.flatMap((destination) =>
      ['small', 'large'].map((size) => ({ id: `${run}-${destination}-${size}`, destination, size })),
    );
    for (const { id, destination, size } of jobs) {
      const input = size === 'small' ? id : [id, LARGE_TEXT, ...'abcdef'];
      await this.#product.call('PUT', `/v1/jobs/${id}`, {
        endpoint: ENDPOINT,
        body: { model: MODEL, input, truncate: true },
        ...(destination === 'reply' ? { reply_queue: 'results' } : {}),
        ...(destination === 'webhook' ? { webhook_url: this.#webhookUrl } : {}),
        ...(destination === 'event' ? { event_bus: true } : {}),
      });
    }
    return jobs;
  }

  #createBatch(): Promise<string> {
    const lines = Array.from({ length: LINES }, (_, index) =>
      JSON.stringify({
        custom_id: `line-${index}`,
        method: 'POST',
        url: ENDPOINT,
        body: { model: MODEL, input: `text ${index}` },
      }),
    );
    return this.#product.createBatch(ENDPOINT, lines);
  }

  /** @returns Undefined if the service that is away is needed to know it. */
  async #statusOf(path: string): Promise<unknown> {
    const { status, json } = await this.#product.request('GET', path);
    return status === 200 ? json['status'] : undefined;
  }

  /** Jobs, batches and notifications that have not come to an end. */
  async #openWork(jobs: readonly AcceptedJob[], batches: readonly string[]): Promise<string[]> {
    await this.#takeReplies();
    const open: string[] = [];
    for (const { id, destination } of jobs) {
      const status = String(await this.#statusOf(`/v1/jobs/${id}`));
      if (!['succeeded', 'failed', 'canceled'].includes(status)) open.push(`${id} is ${status}`);
      else if (!this.#isNotified(id, destination)) open.push(`${id} is ${status} and has sent no ${destination}`);
    }
    const events = jobs.filter(({ destination }) => destination === 'event').length;
    if (this.#busEvents < events) open.push(`${this.#busEvents} of ${events} events have come`);
    for (const id of batches) {
      const status = String(await this.#statusOf(`/v1/batches/${id}`));
      if (!['completed', 'failed', 'expired', 'cancelled'].includes(status)) open.push(`${id} is ${status}`);
    }
    return open;
  }

  async #takeReplies(): Promise<void> {
    const texts = await this.#product.takeMessages('results');
    this.#replies.push(...texts.map((text) => JSON.parse(text) as Reply));
  }

  #isNotified(id: string, destination: AcceptedJob['destination']): boolean {
    if (destination === 'reply') return this.#replies.some(({ subject }) => subject === id);
    if (destination === 'webhook') return this.#webhooksOf(id).length > 0;
    return true;
  }

  #webhooksOf(id: string) {
    return this.#receiver.events.filter(({ body }) => body.data['id'] === id);
  }

  async #failedJobs(jobs: readonly AcceptedJob[]): Promise<string[]> {
    const failed: string[] = [];
    for (const { id } of jobs) {
      const { json } = await this.#product.request('GET', `/v1/jobs/${id}`);
      if (json['status'] === 'failed') failed.push(`${id}: ${JSON.stringify(json['error'])}`);
    }
    return failed;
  }

  async #failedBatches(batches: readonly string[]): Promise<string[]> {
    const failed: string[] = [];
    for (const id of batches) {
      const { json } = await this.#product.request('GET', `/v1/batches/${id}`);
      const answered = await this.#product.readLines(json['output_file_id']);
      const ids = new Set(answered.map(({ custom_id: customId }) => customId));
      if (json['status'] === 'completed' && ids.size === LINES && answered.length === LINES) continue;
      const [error] = await this.#product.readLines(json['error_file_id']);
      const facts = { status: json['status'], counts: json['request_counts'], answered: ids.size, error };
      failed.push(`${id}: ${JSON.stringify(facts)}`);
    }
    return failed;
  }

  /** A notification may come twice, but as the same event. */
  async #problems(jobs: readonly AcceptedJob[]): Promise<string[]> {
    const problems: string[] = [];
    for (const { id } of jobs) {
      const replies = new Set(this.#replies.filter(({ subject }) => subject === id).map((reply) => reply.id));
      const webhooks = new Set(this.#webhooksOf(id).map((event) => event.id));
      if (replies.size > 1) problems.push(`${id} has ${replies.size} different replies`);
      if (webhooks.size > 1) problems.push(`${id} has ${webhooks.size} different webhooks`);
    }
    const deadLetters = await this.#product.takeMessages('dead-letters');
    if (deadLetters.length > 0) problems.push(`${deadLetters.length} dead letters`);
    return problems;
  }
}

/** Makes calls fail, and holds deliveries. */
class OutageSwitch {
  readonly held = new HeldDeliveries();
  #away: RegExp | undefined;

  readonly faults: LocalFaults = {
    onCall: ({ action }) => (this.#away?.test(action) === true ? 'fail' : undefined),
    onDelivery: (delivery) => this.held.faultOf(delivery),
  };

  /** Makes all calls of functions fail whose action matches. */
  start(actions: RegExp): void {
    this.#away = actions;
  }

  end(): void {
    this.#away = undefined;
  }
}
