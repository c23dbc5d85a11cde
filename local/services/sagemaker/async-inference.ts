import { createHash, randomUUID } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import type { Clock } from '../../../core/clock.ts';
import type { PayloadReference } from '../../../core/jobs/job.ts';
import { compilePolicies, type IamRequest, type Judge } from '../../iam/policy.ts';
import { LOCAL_ACCOUNT } from '../../template/account.ts';
import type { AsyncPlan, EndpointPlan } from '../../template/plan-endpoints.ts';
import type { RolePlan } from '../../template/plan-roles.ts';
import type { TopicPlan } from '../../template/plan-topics.ts';
import type { ObjectEngine } from '../s3/object-engine.ts';
import type { SageMakerHost } from './sagemaker-host.ts';

/** Dependencies of {@link AsyncInference}. */
export interface AsyncInferenceOptions {
  readonly host: SageMakerHost;
  readonly endpoints: readonly EndpointPlan[];
  readonly roles: readonly RolePlan[];
  readonly topics: readonly TopicPlan[];
  readonly objects: ObjectEngine;
  readonly clock: Clock;
  /** Puts a message on a queue. */
  readonly sendMessage: (queueArn: string, body: string) => Promise<void> | void;
}

/** A request that an endpoint has accepted. */
export interface AcceptedInvocation {
  readonly inferenceId: string;
  readonly outputLocation: string;
  readonly failureLocation: string;
}

/** A request for an asynchronous endpoint. */
export interface AsyncRequest {
  readonly contentType: string;
  readonly input: PayloadReference;
  readonly inferenceId: string | undefined;
}

interface AsyncEndpointState {
  readonly plan: EndpointPlan;
  readonly config: AsyncPlan;
  readonly judge: Judge;
  readonly waiting: (() => Promise<void>)[];
  running: number;
}

/**
 * Asynchronous endpoints: each has a queue of requests and runs as many concurrently as its configuration says. Results go to
 * S3 and notifications to SNS, with the permissions of the endpoint's role.
 *
 * @see https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference.html
 */
export class AsyncInference implements Disposable {
  readonly #options: AsyncInferenceOptions;
  readonly #endpoints: ReadonlyMap<string, AsyncEndpointState>;
  /** Ids of requests that wait or run. */
  readonly #busy = new Set<string>();

  /** @throws AppError `TEMPLATE_INVALID` when a role of an endpoint has a policy that cannot be judged. */
  constructor(options: AsyncInferenceOptions) {
    this.#options = options;
    this.#endpoints = new Map(
      options.endpoints.flatMap((plan) => {
        const { name, async: config } = plan;
        if (config === undefined) return [];
        const role = options.roles.find(({ arn }) => arn === plan.roleArn);
        return [
          [name, { plan, config, judge: compilePolicies(role?.policies ?? []), waiting: [], running: 0 }] as const,
        ];
      }),
    );
  }

  /** Whether a request is waiting or running. */
  get isBusy(): boolean {
    return this.#busy.size > 0;
  }

  /** Whether an endpoint is asynchronous: it accepts no other requests. */
  has(endpoint: string): boolean {
    return this.#endpoints.has(endpoint);
  }

  /** @returns Where the result will be; undefined if there is no such endpoint. */
  accept(endpoint: string, request: AsyncRequest): AcceptedInvocation | undefined {
    const state = this.#endpoints.get(endpoint);
    if (state === undefined) return undefined;
    const id = randomUUID();
    const { output, failure } = state.config;
    const places = {
      output: { bucket: output.bucket, key: `${output.key}${id}.out` },
      failure: { bucket: failure.bucket, key: `${failure.key}${id}-error.out` },
    };
    const inferenceId = request.inferenceId ?? randomUUID();
    this.#busy.add(id);
    state.waiting.push(async () => {
      await this.#work(state, { ...request, inferenceId }, places).catch((error: unknown) => {
        process.stderr.write(`${endpoint}: ${error instanceof Error ? error.message : String(error)}\n`);
      });
      this.#busy.delete(id);
    });
    this.#next(state);
    return { inferenceId, outputLocation: uriOf(places.output), failureLocation: uriOf(places.failure) };
  }

  /** Forgets all waiting requests. */
  stop(): void {
    for (const { waiting } of this.#endpoints.values()) waiting.splice(0);
    this.#busy.clear();
  }

  [Symbol.dispose](): void {
    this.stop();
  }

  #next(state: AsyncEndpointState): void {
    if (state.running >= state.config.maxConcurrency) return;
    const work = state.waiting.shift();
    if (work === undefined) return;
    state.running += 1;
    void work().finally(() => {
      state.running -= 1;
      this.#next(state);
    });
  }

  async #work(
    state: AsyncEndpointState,
    request: AsyncRequest & { readonly inferenceId: string },
    { output, failure }: Record<'output' | 'failure', PayloadReference>,
  ): Promise<void> {
    const { plan, config } = state;
    const event = {
      awsRegion: LOCAL_ACCOUNT.region,
      eventTime: new Date(this.#options.clock.now()).toISOString(),
      requestParameters: {
        contentType: request.contentType,
        endpointName: plan.name,
        inputLocation: uriOf(request.input),
      },
      inferenceId: request.inferenceId,
      eventVersion: '1.0',
      eventSource: 'aws:sagemaker',
      eventName: 'InferenceResult',
    };
    const response = await this.#invoke(state, request);
    if (typeof response === 'string') {
      await this.#write(state, failure, Buffer.from(response), 'application/json');
      await this.#publish(state, config.errorTopic, {
        ...event,
        invocationStatus: 'Failed',
        failureReason: response,
      });
      return;
    }
    await this.#write(state, output, response.body, response.contentType);
    await this.#publish(state, config.successTopic, {
      ...event,
      invocationStatus: 'Completed',
      responseParameters: { contentType: response.contentType, outputLocation: uriOf(output) },
    });
  }

  /** @returns The container's response, or why there is none. */
  async #invoke(state: AsyncEndpointState, { contentType, input }: AsyncRequest) {
    const problem = refusal(state.judge, { action: 's3:GetObject', resource: arnOf(input) });
    if (problem !== undefined) return problem;
    const object = this.#options.objects.bucket(input.bucket).find(input.key);
    if (object === undefined) return `${uriOf(input)} does not exist`;
    const body = await buffer(object.bytes.read());
    // Asynchronous endpoints have one variant.
    for (;;) {
      const outcome = await this.#options.host.invoke(state.plan.name, { contentType, body });
      if (outcome.kind === 'unavailable') {
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
        if (this.#busy.size === 0) return 'local mode ended';
      } else if (outcome.kind !== 'responded') return `the container gave no response: ${outcome.kind}`;
      else if (outcome.response.status === 200) return outcome.response;
      else {
        const text = Buffer.from(outcome.response.body).toString();
        return `ClientError: Server returned unexpected status ${outcome.response.status}: ${text}`;
      }
    }
  }

  async #write({ judge, plan }: AsyncEndpointState, place: PayloadReference, body: Uint8Array, type: string) {
    const problem = refusal(judge, { action: 's3:PutObject', resource: arnOf(place) });
    if (problem !== undefined) throw new Error(`the role of ${plan.name}: ${problem}`);
    const { objects } = this.#options;
    const chunks = (async function* () {
      yield Buffer.from(body);
    })();
    const bytes = await objects.files.write(chunks, () => undefined);
    const etag = createHash('md5').update(body).digest('hex');
    await objects
      .bucket(place.bucket)
      .put(place.key, { bytes, etag, headers: { 'content-type': type }, checksum: undefined });
  }

  async #publish({ judge, plan }: AsyncEndpointState, topic: string | undefined, message: object): Promise<void> {
    if (topic === undefined) return;
    const problem = refusal(judge, { action: 'sns:Publish', resource: topic });
    if (problem !== undefined) throw new Error(`the role of ${plan.name}: ${problem}`);
    const queues = this.#options.topics.find(({ arn }) => arn === topic)?.queues ?? [];
    for (const queue of queues) await this.#options.sendMessage(queue, JSON.stringify(message));
  }
}

/** Pause before a request to an unavailable container is retried. */
const RETRY_MS = 200;

function refusal(judge: Judge, request: IamRequest): string | undefined {
  return judge(request) === 'allowed' ? undefined : `${request.action} on ${request.resource} is not allowed`;
}

function uriOf({ bucket, key }: PayloadReference): string {
  return `s3://${bucket}/${key}`;
}

function arnOf({ bucket, key }: PayloadReference): string {
  return `arn:${LOCAL_ACCOUNT.partition}:s3:::${bucket}/${key}`;
}
