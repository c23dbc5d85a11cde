import { setTimeout as pause } from 'node:timers/promises';
import { DeleteMessageCommand, type Message, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import type { ActivityListener } from '../../local/activity/activity-stream.ts';
import type { LocalFaults } from '../../local/aws/faults.ts';
import { type LocalStack, startLocal } from '../../local/start.ts';

/** Settings of {@link Product}. */
export interface ProductOptions {
  /** Folder of the synthesized app. */
  readonly assembly: string;
  /** Folder for logs and keys. */
  readonly directory: string;
  readonly faults?: LocalFaults;
  /** Receives everything that happens. */
  readonly onActivity?: ActivityListener;
}

/** A response of the API. */
export interface ProductResponse {
  readonly status: number;
  readonly json: Readonly<Record<string, unknown>>;
}

/** Shortest and usual longest step by which time is moved while all work waits for a later time. */
const SHORTEST_STEP_MS = 1000;
const LONGEST_STEP_MS = 5 * 60_000;

/** Steps by which time is moved. */
interface Steps {
  readonly shortestMs: number;
  readonly longestMs: number;
}

/** Pause before the product is looked at again. */
const LOOK_MS = 25;

/** The whole product in local mode, whose time tests move. */
export class Product implements AsyncDisposable {
  readonly stack: LocalStack;
  readonly sqs: SQSClient;
  readonly #key: string;
  readonly #stopping = new AbortController();
  /** Queues that feed functions. */
  readonly #sources: ReadonlySet<string>;

  private constructor(stack: LocalStack) {
    this.stack = stack;
    this.#key = stack.description.apiKeys.find(({ plan }) => plan === 'internal')?.value ?? '';
    this.#sources = new Set(stack.plan.eventSources.map(({ queueArn }) => nameOf(queueArn)));
    this.sqs = new SQSClient({
      endpoint: stack.endpointUrl,
      region: 'us-east-1',
      credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    });
  }

  /** Starts the product. */
  static async start(options: ProductOptions): Promise<Product> {
    return new Product(await startLocal({ ...options, port: 0, maxEnvironments: 2, allowLoopbackWebhooks: true }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort(new Error('the product has stopped'));
    this.sqs.destroy();
    await this.stack.stop();
  }

  /** Aborted when the product stops: a test that still waits for it must not wait for ever. */
  get stopped(): AbortSignal {
    return this.#stopping.signal;
  }

  /** Headers of a request with the key of the plan `internal`. */
  get headers(): Readonly<Record<string, string>> {
    return { 'x-api-key': this.#key };
  }

  /** Sends a request with the key of the plan `internal`. */
  async request(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<ProductResponse> {
    const response = await fetch(`${this.stack.url}${path}`, {
      method,
      headers: {
        'x-api-key': this.#key,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, json: (await response.json()) as Readonly<Record<string, unknown>> };
  }

  /** Sends a request that must succeed. */
  async call(method: string, path: string, body?: unknown): Promise<ProductResponse['json']> {
    const { status, json } = await this.request(method, path, body);
    if (status >= 300) throw new Error(`${method} ${path} was answered ${status}: ${JSON.stringify(json)}`);
    return json;
  }

  /** Uploads a file of lines, and creates a batch of it. */
  async createBatch(endpoint: string, lines: readonly string[]): Promise<string> {
    const bytes = Buffer.from(`${lines.join('\n')}\n`);
    const declared = { filename: 'lines.jsonl', purpose: 'batch', bytes: bytes.length };
    const { id, upload_url: url } = await this.call('POST', '/v1/files', declared);
    await fetch(String(url), { method: 'PUT', body: bytes });
    const request = { input_file_id: id, endpoint, completion_window: '24h' };
    return String((await this.call('POST', '/v1/batches', request))['id']);
  }

  /** Reads the lines of a file. */
  async readLines(fileId: unknown): Promise<Readonly<Record<string, unknown>>[]> {
    if (typeof fileId !== 'string') return [];
    const response = await fetch(`${this.stack.url}/v1/files/${fileId}/content`, {
      headers: { 'x-api-key': this.#key },
    });
    const lines = (await response.text()).split('\n').filter((line) => line !== '');
    return lines.map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
  }

  /** Takes all messages of a queue of the description, as texts. */
  async takeMessages(queue: string): Promise<string[]> {
    return (await this.#take(queue)).map(({ Body: body = '' }) => body);
  }

  async #take(queue: string): Promise<Message[]> {
    const url = this.stack.description.queues[queue] ?? '';
    const taken: Message[] = [];
    for (;;) {
      const { Messages: messages = [] } = await this.sqs.send(
        new ReceiveMessageCommand({ QueueUrl: url, MaxNumberOfMessages: 10, MessageAttributeNames: ['All'] }),
      );
      if (messages.length === 0) return taken;
      taken.push(...messages);
      for (const { ReceiptHandle: handle } of messages) {
        await this.sqs.send(new DeleteMessageCommand({ QueueUrl: url, ReceiptHandle: handle }));
      }
    }
  }

  /** Takes all dead letters, and returns their error codes. */
  async takeDeadLetterCodes(): Promise<string[]> {
    const messages = await this.#take('dead-letters');
    return messages.map(({ MessageAttributes: attributes }) => attributes?.['errorCode']?.StringValue ?? 'no code');
  }

  /** Messages in the queues that feed functions. */
  inFlight() {
    return [...this.stack.queues.depths()].filter(([name]) => this.#sources.has(name));
  }

  /** Whether work is done right now, or could be. */
  get isWorking(): boolean {
    return this.stack.isBusy() || this.inFlight().some(([, { waiting }]) => waiting > 0);
  }

  /**
   * Moves time to what is due next, and on, until a time has come or something has happened.
   *
   * @param shortestMs - Shortest step. A longer one saves real time: more is due at its end.
   * @param longestMs - Longest step, so that scheduled functions run in between.
   * @throws Error when the product is stopped meanwhile.
   */
  async passTime(
    untilMs: number,
    hasHappened: () => Promise<boolean> | boolean = () => false,
    { shortestMs = SHORTEST_STEP_MS, longestMs = LONGEST_STEP_MS }: Partial<Steps> = {},
  ): Promise<void> {
    while (this.stack.now() < untilMs) {
      await pause(LOOK_MS, undefined, { signal: this.stopped });
      if (this.isWorking) continue;
      if (await hasHappened()) return;
      const nowMs = this.stack.now();
      const dueMs = Math.min(this.stack.queues.nextDueMs() ?? untilMs, nowMs + longestMs);
      await this.stack.advance(Math.min(untilMs - nowMs, Math.max(shortestMs, dueMs - nowMs)));
    }
  }
}

function nameOf(arn: string): string {
  return arn.split(':').at(-1) ?? '';
}
