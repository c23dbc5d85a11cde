import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { DeleteMessageCommand, ReceiveMessageCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import OpenAI, { toFile } from 'openai';
import { redriveDeadLetters } from '../../cli/redrive-dead-letters.ts';
import { ERRORS, type ErrorCode } from '../../core/errors.ts';
import { jobIdOfEvent } from '../../core/jobs/job-id.ts';
import { sha256 } from '../../lambdas/shared/sha256.ts';
import { type LocalStack, startLocal } from '../../local/start.ts';
import { WebhookReceiver } from '../app/webhook-receiver.ts';
import { inParallel, PatientCaller } from './client.ts';
import { FaultInjector } from './fault-injector.ts';
import { type Plan, type PlannedJob, planWork } from './work.ts';

/** What to run. */
export interface ScenarioOptions {
  /** Folder of the synthesized app. */
  readonly assembly: string;
  /** Folder for logs and keys. */
  readonly directory: string;
  readonly seed: number;
  /** About how many items to submit. */
  readonly items: number;
}

/** What was found at the end. */
export interface ScenarioReport {
  /** Everything that is wrong; empty if nothing was lost or doubled. */
  readonly problems: readonly string[];
  /** How much was done, and how many faults were injected. */
  readonly facts: Readonly<Record<string, number>>;
}

const MODEL = 'minilm';
const ENDPOINT = '/v1/embeddings';
const SOURCE = '/reliability';
const FORMAT = 'base64';

/** Requests that are submitted concurrently. */
const WIDTH = 6;

/** Shortest step by which time is moved while all work waits for a later time. */
const LEAST_STEP_MS = 1000;

/** Maximum local time of a run; a longer one is stuck. */
const MAX_LOCAL_MS = 10 * 24 * 3_600_000;

/** Runs the whole scenario: submits work while faults are injected, waits until it is done, and checks the results. */
export async function runScenario(options: ScenarioOptions): Promise<ScenarioReport> {
  const plan = planWork(options.seed, options.items);
  const faultInjector = new FaultInjector(options.seed);
  const stack = await startLocal({
    assembly: options.assembly,
    directory: options.directory,
    port: 0,
    maxEnvironments: 2,
    allowLoopbackWebhooks: true,
    faults: faultInjector.faults,
  });
  try {
    return await new Scenario(stack, plan, faultInjector).run();
  } finally {
    faultInjector.stop();
    await stack.stop();
  }
}

/** A notification of a completed job. */
interface Notification {
  readonly id: string;
  readonly status: string;
}

class Scenario {
  readonly #stack: LocalStack;
  readonly #plan: Plan;
  readonly #faultInjector: FaultInjector;
  readonly #caller: PatientCaller;
  readonly #sqs: SQSClient;
  readonly #receiver: WebhookReceiver;
  readonly #keyId: string;
  /** Expected embeddings by text. */
  readonly #expected = new Map<string, string>();
  /** Ids of the accepted jobs. */
  readonly #ids = new Map<PlannedJob, string>();
  readonly #replies: Notification[] = [];
  readonly #problems: string[] = [];
  readonly #startedMs: number;
  #batchId = '';
  #redriven = 0;
  /** Dead letters that a redrive does not put back. */
  #leftAlone = 0;

  constructor(stack: LocalStack, plan: Plan, faultInjector: FaultInjector) {
    this.#stack = stack;
    this.#plan = plan;
    this.#faultInjector = faultInjector;
    this.#startedMs = stack.now();
    const [api] = stack.plan.apis;
    const key = stack.description.apiKeys.find(({ plan: name }) => name === 'internal');
    this.#keyId = api?.apiKeys.find(({ name }) => name === key?.name)?.id ?? '';
    this.#caller = new PatientCaller(stack.url, key?.value ?? '');
    this.#receiver = new WebhookReceiver(faultInjector.webhookFault, () => stack.now());
    this.#sqs = new SQSClient({
      endpoint: stack.endpointUrl,
      region: 'us-east-1',
      credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    });
  }

  async run(): Promise<ScenarioReport> {
    const url = await this.#receiver.listen();
    try {
      await this.#lookUpExpected();
      await this.#trustSecret();
      this.#faultInjector.start(this.#stack.lambda);
      await Promise.all([this.#submitJobs(url), this.#submitInvalidMessages(), this.#submitFile()]);
      await this.#settle('all work');
      this.#faultInjector.stop();
      await this.#settle('all work and webhooks');
      await this.#checkJobs();
      await this.#checkBatch();
      await this.#checkDeadLetters();
      return { problems: this.#problems, facts: this.#facts() };
    } finally {
      this.#sqs.destroy();
      await this.#receiver.close();
    }
  }

  async #lookUpExpected(): Promise<void> {
    const { texts } = this.#plan;
    const body = { model: MODEL, input: texts, encoding_format: FORMAT };
    const { json } = await this.#caller.call('POST', ENDPOINT, { body });
    const data = json['data'] as readonly { readonly embedding: string }[];
    for (const [index, text] of texts.entries()) this.#expected.set(text, data[index]?.embedding ?? '');
  }

  async #trustSecret(): Promise<void> {
    const { json } = await this.#caller.call('GET', '/v1/webhooks/secret');
    const [newest] = json['secrets'] as readonly { readonly secret: string }[];
    this.#receiver.trust(newest?.secret ?? '');
  }

  async #submitJobs(webhookUrl: string): Promise<void> {
    await inParallel(this.#plan.jobs, WIDTH, async (job) => {
      const id = await this.#submit(job, webhookUrl);
      this.#ids.set(job, id);
      if (job.isCanceled && job.via !== 'queue') await this.#caller.call('POST', `/v1/jobs/${id}/cancel`);
    });
  }

  async #submit(job: PlannedJob, webhookUrl: string): Promise<string> {
    const body = { model: MODEL, input: job.texts, encoding_format: FORMAT };
    const request = {
      endpoint: ENDPOINT,
      body,
      ...(job.wantsWebhook ? { webhook_url: webhookUrl } : {}),
      ...(job.wantsReply ? { reply_queue: 'results' } : {}),
    };
    if (job.via === 'queue') return this.#sendEvent(job.key, request);
    const headers = {
      prefer: 'respond-async',
      'idempotency-key': job.key,
      ...(job.wantsWebhook ? { 'x-webhook-url': webhookUrl } : {}),
    };
    const { status, json } =
      job.via === 'put'
        ? await this.#caller.call('PUT', `/v1/jobs/${job.key}`, { body: request })
        : await this.#caller.call('POST', ENDPOINT, { body, headers });
    if (status !== 200 && status !== 202)
      this.#problems.push(`${job.key} was answered ${status}: ${JSON.stringify(json)}`);
    return String(json['id']);
  }

  async #sendEvent(id: string, data: object): Promise<string> {
    const event = { specversion: '1.0', id, source: SOURCE, type: 'tensorgate.job.v1', apikeyid: this.#keyId, data };
    await this.#send('jobs', JSON.stringify(event));
    return jobIdOfEvent(sha256, SOURCE, id);
  }

  async #submitInvalidMessages(): Promise<void> {
    for (const { body } of this.#plan.invalidMessages) await this.#send('jobs', body);
  }

  async #submitFile(): Promise<void> {
    const client = this.#openAi();
    const lines = this.#plan.lines.map((line, index) =>
      typeof line === 'string'
        ? JSON.stringify({
            custom_id: `line-${index}`,
            method: 'POST',
            url: ENDPOINT,
            body: { model: MODEL, input: line, encoding_format: FORMAT },
          })
        : line.broken,
    );
    const bytes = Buffer.from(`${lines.join('\n')}\n`);
    const file = await untilDone(async () =>
      client.files.create({ file: await toFile(bytes, 'lines.jsonl'), purpose: 'batch' }),
    );
    const batch = await untilDone(() =>
      client.batches.create(
        { input_file_id: file.id, endpoint: ENDPOINT, completion_window: '24h' },
        { headers: { 'idempotency-key': `batch-${file.id}` } },
      ),
    );
    this.#batchId = batch.id;
  }

  /**
   * Waits until all queues are empty, and moves time forward while work only waits for a later time.
   *
   * @param what - Retries of webhooks take days, and years while faults are injected.
   */
  async #settle(what: 'all work' | 'all work and webhooks'): Promise<void> {
    for (let quietRounds = 0; quietRounds < 3; ) {
      await pause(60);
      await this.#takeReplies();
      if (this.#isWorking()) {
        quietRounds = 0;
        continue;
      }
      if (await this.#redrive()) continue;
      if (this.#isEmpty(what)) {
        quietRounds += 1;
        continue;
      }
      quietRounds = 0;
      if (this.#stack.now() - this.#startedMs > MAX_LOCAL_MS) {
        this.#problems.push(`not done after ten days: ${JSON.stringify(this.#inFlight())}`);
        return;
      }
      const dueMs = this.#stack.queues.nextDueMs() ?? 0;
      await this.#stack.advance(Math.max(LEAST_STEP_MS, dueMs - this.#stack.now()));
    }
  }

  #isWorking(): boolean {
    return this.#stack.isBusy() || this.#inFlight().some(([, { waiting }]) => waiting > 0);
  }

  #isEmpty(what: 'all work' | 'all work and webhooks'): boolean {
    const looked = this.#inFlight().filter(([name]) => what !== 'all work' || !name.includes('webhooks'));
    return looked.every(([, { waiting, inFlight, delayed }]) => waiting + inFlight + delayed === 0);
  }

  /** Depths of the queues that feed functions. */
  #inFlight() {
    const names = new Set(this.#stack.plan.eventSources.map(({ queueArn }) => queueArn.split(':').at(-1)));
    return [...this.#stack.queues.depths()].filter(([name]) => names.has(name));
  }

  /** Redrives dead letters with retryable errors, as an operator would. */
  async #redrive(): Promise<boolean> {
    const { waiting = 0 } = this.#stack.queues.depths().get(nameOf(this.#queue('dead-letters'))) ?? {};
    if (waiting <= this.#leftAlone) return false;
    const before = this.#redriven;
    for (const { code } of await this.#redriveAll({ dryRun: true })) {
      if (!isErrorCode(code) || !ERRORS[code].retryable) continue;
      const counts = await this.#redriveAll({ dryRun: false, code });
      this.#redriven += counts.reduce((sum, { putBack }) => sum + putBack, 0);
    }
    this.#leftAlone = waiting - (this.#redriven - before);
    return this.#redriven > before;
  }

  #redriveAll(options: { readonly dryRun: boolean; readonly code?: string }) {
    const limit = Number.POSITIVE_INFINITY;
    return redriveDeadLetters(this.#sqs, {
      ...options,
      queueUrl: this.#queue('dead-letters'),
      redriveId: randomUUID(),
      limit,
    });
  }

  async #takeReplies(): Promise<void> {
    const { Messages: messages = [] } = await this.#sqs.send(
      new ReceiveMessageCommand({ QueueUrl: this.#queue('results'), MaxNumberOfMessages: 10 }),
    );
    for (const { Body: body = '{}', ReceiptHandle: handle } of messages) {
      this.#replies.push((JSON.parse(body) as { readonly data: Notification }).data);
      await this.#sqs.send(new DeleteMessageCommand({ QueueUrl: this.#queue('results'), ReceiptHandle: handle }));
    }
    if (messages.length > 0) await this.#takeReplies();
  }

  async #checkJobs(): Promise<void> {
    await inParallel([...this.#ids], WIDTH, async ([job, id]) => {
      const { status, json } = await this.#caller.call('GET', `/v1/jobs/${id}`);
      if (status !== 200) this.#problems.push(`${job.key} is answered ${status}`);
      else await this.#checkJob(job, id, json);
    });
  }

  async #checkJob(job: PlannedJob, id: string, json: Record<string, unknown>): Promise<void> {
    const status = String(json['status']);
    const { code } = (json['error'] ?? {}) as { readonly code?: string };
    if (job.expectedError === undefined) {
      const allowed = job.isCanceled && job.via !== 'queue' ? ['canceled', 'succeeded'] : ['succeeded'];
      if (!allowed.includes(status)) this.#problems.push(`${job.key} is ${status} ${code ?? ''}`);
    } else if (status !== 'failed' || code !== job.expectedError) {
      this.#problems.push(`${job.key} is ${status} ${code ?? ''}, not failed ${job.expectedError}`);
    }
    if (status === 'succeeded') await this.#checkResult(job, json);
    if (job.wantsWebhook) this.#checkNotifications(job, status, this.#webhooksOf(id), 'webhook');
    if (job.wantsReply)
      this.#checkNotifications(
        job,
        status,
        this.#replies.filter((notification) => notification.id === id),
        'reply',
      );
  }

  async #checkResult(job: PlannedJob, json: Record<string, unknown>): Promise<void> {
    const inline = json['result'];
    const url = json['result_url'];
    const result = (inline ?? (typeof url === 'string' ? await (await fetch(url)).json() : undefined)) as
      | { readonly data: readonly { readonly embedding: string }[] }
      | undefined;
    const got = result?.data.map(({ embedding }) => embedding);
    const wanted = job.texts.map((text) => this.#expected.get(text));
    if (JSON.stringify(got) !== JSON.stringify(wanted)) this.#problems.push(`${job.key} has the wrong result`);
  }

  #webhooksOf(id: string): Notification[] {
    const all = this.#receiver.events.map(({ body }) => body.data as unknown as Notification);
    return all.filter((notification) => notification.id === id);
  }

  /** Notifications may repeat, but must agree on the status, unless an operator has restarted the job. */
  #checkNotifications(job: PlannedJob, status: string, notifications: readonly Notification[], what: string): void {
    if (!notifications.some((one) => one.status === status))
      this.#problems.push(`${job.key} has no ${what} with its status`);
    const others = notifications.filter((one) => one.status !== status);
    if (others.length > 0 && this.#redriven === 0) {
      this.#problems.push(
        `${job.key} has a ${what} with another status: ${others.map((one) => one.status).join(', ')}`,
      );
    }
  }

  async #checkBatch(): Promise<void> {
    const client = this.#openAi();
    const batch = await client.batches.retrieve(this.#batchId);
    const broken = this.#plan.lines.filter((line) => typeof line !== 'string').length;
    const counts = { total: this.#plan.lines.length, completed: this.#plan.lines.length - broken, failed: broken };
    if (batch.status !== 'completed') this.#problems.push(`the batch is ${batch.status}`);
    if (JSON.stringify(batch.request_counts) !== JSON.stringify(counts)) {
      this.#problems.push(`the batch counts ${JSON.stringify(batch.request_counts)}, not ${JSON.stringify(counts)}`);
    }
    const output = await readLines(client, batch.output_file_id);
    const wanted = this.#plan.lines.flatMap((line, index) =>
      typeof line === 'string' ? [[`line-${index}`, this.#expected.get(line)]] : [],
    );
    const got = output.map(({ custom_id, response }) => [custom_id, response?.body.data[0]?.embedding]);
    if (JSON.stringify(got) !== JSON.stringify(wanted)) this.#problems.push('the output file is wrong');
    const errors = await readLines(client, batch.error_file_id);
    if (errors.length !== broken) this.#problems.push(`the error file holds ${errors.length} lines, not ${broken}`);
  }

  async #checkDeadLetters(): Promise<void> {
    const { Messages: messages = [] } = await this.#sqs.send(
      new ReceiveMessageCommand({
        QueueUrl: this.#queue('dead-letters'),
        MaxNumberOfMessages: 10,
        MessageAttributeNames: ['All'],
      }),
    );
    const got = messages.map(({ MessageAttributes: attributes }) => attributes?.['errorCode']?.StringValue ?? '');
    const wanted = new Set<string>(this.#plan.invalidMessages.map(({ code }) => code));
    // A message can be delivered twice, and then be refused twice.
    const [unexpected, missing] = [
      got.filter((code) => !wanted.has(code)),
      [...wanted].filter((code) => !got.includes(code)),
    ];
    if (unexpected.length > 0) this.#problems.push(`dead letters with ${unexpected.join(', ')}`);
    if (missing.length > 0) this.#problems.push(`no dead letter with ${missing.join(', ')}`);
  }

  #facts(): Record<string, number> {
    const jobItems = this.#plan.jobs.reduce((sum, { texts }) => sum + texts.length, 0);
    return {
      items: jobItems + this.#plan.lines.length,
      jobs: this.#plan.jobs.length,
      lines: this.#plan.lines.length,
      kills: this.#faultInjector.kills,
      failedCalls: this.#faultInjector.failedCalls,
      repeatedDeliveries: this.#faultInjector.repeatedDeliveries,
      submitRetries: this.#caller.retries,
      webhooks: this.#receiver.events.length,
      refusedWebhooks: this.#receiver.refused,
      redriven: this.#redriven,
      localMinutes: Math.round((this.#stack.now() - this.#startedMs) / 60_000),
    };
  }

  #openAi(): OpenAI {
    const { apiKeys } = this.#stack.description;
    const key = apiKeys.find(({ plan }) => plan === 'internal')?.value ?? '';
    return new OpenAI({
      baseURL: `${this.#stack.url}/v1`,
      apiKey: 'unused',
      defaultHeaders: { 'x-api-key': key },
      maxRetries: 5,
    });
  }

  #queue(name: string): string {
    return this.#stack.description.queues[name] ?? '';
  }

  async #send(queue: string, body: string): Promise<void> {
    await this.#sqs.send(new SendMessageCommand({ QueueUrl: this.#queue(queue), MessageBody: body }));
  }
}

interface FileLine {
  readonly custom_id: string;
  readonly response: { readonly body: { readonly data: readonly { readonly embedding: string }[] } } | null;
}

async function readLines(client: OpenAI, fileId: string | null | undefined): Promise<FileLine[]> {
  if (typeof fileId !== 'string') return [];
  const text = await (await client.files.content(fileId)).text();
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as FileLine);
}

async function untilDone<T>(work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const { status } = error as { readonly status?: number };
      if (status !== undefined && status < 500 && status !== 429 && status !== 409) throw error;
      await pause(50);
    }
  }
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}

function nameOf(queueUrl: string): string {
  return queueUrl.split('/').at(-1) ?? '';
}
