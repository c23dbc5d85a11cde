import { SendMessageCommand } from '@aws-sdk/client-sqs';
import { jobIdOfEvent } from '../../core/jobs/job-id.ts';
import { sha256 } from '../../lambdas/shared/sha256.ts';
import { addressOf, type CallersBucket } from './callers-bucket.ts';
import { type ApiResponse, PatientCaller, until } from './client.ts';
import { Deletions } from './deletions.ts';
import { FRAGILE_ENDPOINT } from './fragile-model.ts';
import { type FragileWork, fragileLines } from './fragile-work.ts';
import type { Product } from './product.ts';
import type { PlannedBatch, PlannedJob, Tenant } from './work.ts';

/** Work of the app's model. */
export const MODEL = 'minilm';
export const ENDPOINT = '/v1/embeddings';
export const FORMAT = 'base64';

const SOURCE = '/reliability';

/** Statuses of batches that no longer read their input file. */
const ENDED: readonly unknown[] = ['completed', 'failed', 'expired', 'cancelled'];

/** Dependencies of a {@link Submitter}. */
export interface SubmitterDeps {
  readonly product: Product;
  readonly bucket: CallersBucket;
  /** Called with everything that is wrong. */
  readonly onProblem: (problem: string) => void;
}

/** Submits work as callers and producers do. */
export class Submitter {
  readonly callers: Readonly<Record<Tenant, PatientCaller>>;
  readonly deletions = new Deletions();
  /** Receives webhooks. */
  webhookUrl = '';
  /** Number of inputs that were files or objects. */
  inputs = 0;
  readonly #deps: SubmitterDeps;
  /** Id of the key of producers' events. */
  readonly #keyId: string;

  constructor(deps: SubmitterDeps) {
    this.#deps = deps;
    const { stack, stopped } = deps.product;
    const { apiKeys } = stack.description;
    const keyOf = (tenant: Tenant) => apiKeys.find(({ plan }) => plan === tenant);
    const caller = (tenant: Tenant) => new PatientCaller(stack.url, keyOf(tenant)?.value ?? '', stopped);
    this.callers = { internal: caller('internal'), pro: caller('pro') };
    const known = stack.plan.apis.flatMap((api) => api.apiKeys);
    this.#keyId = known.find(({ name }) => name === keyOf('internal')?.name)?.id ?? '';
  }

  /** @returns The id of the job. */
  async job(job: PlannedJob): Promise<string> {
    const id = await this.#submit(job);
    const caller = this.callers[job.tenant];
    if (job.isCanceled) await caller.call('POST', `/v1/jobs/${id}/cancel`);
    if (job.isDeleted) await this.deletions.add(caller, `/v1/jobs/${id}`);
    return id;
  }

  /** @returns The id of the batch. */
  async batch({ tenant, key, lines, isKeyless, isCanceled, isDeleted }: PlannedBatch): Promise<string> {
    const caller = this.callers[tenant];
    const texts = lines.map((line, index) => (typeof line === 'string' ? lineOf(`line-${index}`, line) : line.broken));
    const fileId = await this.upload(caller, texts);
    const request = { input_file_id: fileId, endpoint: ENDPOINT, completion_window: '24h' };
    const headers: Readonly<Record<string, string>> = isKeyless ? {} : { 'idempotency-key': key };
    const submit = () => caller.call('POST', '/v1/batches', { body: request, headers });
    const { status, json } = await submit();
    if (status !== 200) this.#deps.onProblem(`${key} is refused with ${status} ${json['code']}`);
    const id = String(json['id']);
    if (isKeyless) this.#expectSame(key, id, (await submit()).json);
    await this.#expectFileInUse(caller, fileId, id);
    if (isCanceled) await caller.call('POST', `/v1/batches/${id}/cancel`);
    if (isDeleted) await this.deletions.add(caller, `/v1/batches/${id}`);
    return id;
  }

  /** @returns The id of the batch. */
  async fragileBatch(work: FragileWork, key: string): Promise<string> {
    const caller = this.callers.pro;
    const file = await this.upload(caller, fragileLines(work));
    const body = { input_file_id: file, endpoint: FRAGILE_ENDPOINT, completion_window: '24h' };
    const headers = { 'idempotency-key': key };
    return String((await caller.call('POST', '/v1/batches', { body, headers })).json['id']);
  }

  /** Sends messages to the queue of producers. */
  async messages(bodies: readonly string[]): Promise<void> {
    const { stack, sqs } = this.#deps.product;
    const url = stack.description.queues['jobs'];
    for (const body of bodies) await sqs.send(new SendMessageCommand({ QueueUrl: url, MessageBody: body }));
  }

  /** @returns The id of the file. */
  async upload(caller: PatientCaller, lines: readonly string[]): Promise<string> {
    const bytes = Buffer.from(`${lines.join('\n')}\n`);
    const declared = { filename: 'lines.jsonl', purpose: 'batch', bytes: bytes.length };
    const { json } = await caller.call('POST', '/v1/files', { body: declared });
    await caller.put(String(json['upload_url']), bytes);
    return String(json['id']);
  }

  async #submit(job: PlannedJob): Promise<string> {
    const body = { model: MODEL, input: job.texts, encoding_format: FORMAT, truncate: true };
    const webhook = job.wantsWebhook ? this.webhookUrl : undefined;
    const input = await this.#placeInput(job, body);
    const request = {
      endpoint: ENDPOINT,
      ...input,
      ...(webhook === undefined ? {} : { webhook_url: webhook }),
      ...(job.wantsReply ? { reply_queue: 'results' } : {}),
      ...(job.wantsEvent ? { event_bus: true } : {}),
    };
    if (job.via === 'queue') return this.#sendEvent(job.key, request);
    const caller = this.callers[job.tenant];
    const headers = {
      prefer: 'respond-async',
      ...(job.isKeyless ? {} : { 'idempotency-key': job.key }),
      ...(webhook === undefined ? {} : { 'x-webhook-url': webhook }),
    };
    const submit = () =>
      job.via === 'put'
        ? caller.call('PUT', `/v1/jobs/${job.key}`, { body: request })
        : caller.call('POST', ENDPOINT, { body, headers });
    const { status, json } = await submit();
    const id = String(json['id']);
    if (status !== 200 && status !== 202) this.#deps.onProblem(`${job.key} got ${status}: ${JSON.stringify(json)}`);
    if (job.isKeyless) this.#expectSame(job.key, id, (await submit()).json);
    if (job.input === 'file that is deleted') await caller.call('DELETE', `/v1/files/${input['input_file_id']}`);
    return id;
  }

  async #sendEvent(id: string, data: object): Promise<string> {
    const event = { specversion: '1.0', id, source: SOURCE, type: 'tensorgate.job.v1', apikeyid: this.#keyId, data };
    await this.messages([JSON.stringify(event)]);
    return jobIdOfEvent(sha256, SOURCE, id);
  }

  #expectSame(key: string, id: string, { id: again }: ApiResponse['json']): void {
    if (again !== id) this.#deps.onProblem(`${key} is ${id}, and ${again} when it is submitted again`);
  }

  /** The input file of a batch can be deleted only once the batch has ended. */
  async #expectFileInUse(caller: PatientCaller, fileId: string, batchId: string): Promise<void> {
    const { status } = await caller.call('DELETE', `/v1/files/${fileId}`);
    const { json } = await caller.call('GET', `/v1/batches/${batchId}`);
    if (status !== 409 && !ENDED.includes(json['status'])) {
      this.#deps.onProblem(`${batchId} is ${json['status']}, and its input file was deleted with ${status}`);
    }
  }

  /** Stores the body of a job where its request says that it lies. */
  async #placeInput({ input, key, tenant }: PlannedJob, body: object): Promise<Readonly<Record<string, unknown>>> {
    if (input === 'request') return { body };
    this.inputs += 1;
    if (input === 'object') return { input_s3: await this.#deps.bucket.put(key, body) };
    if (input === 'object that is missing') return { input_s3: addressOf(key) };
    const caller = this.callers[tenant];
    const file = await this.upload(caller, [JSON.stringify(body)]);
    await until(`${file} is processed`, async () => {
      return (await caller.call('GET', `/v1/files/${file}`)).json['status'] === 'processed';
    });
    return { input_file_id: file };
  }
}

/** Writes a line of a batch. */
export function lineOf(customId: string, text: string): string {
  const body = { model: MODEL, input: text, encoding_format: FORMAT };
  return JSON.stringify({ custom_id: customId, method: 'POST', url: ENDPOINT, body });
}
