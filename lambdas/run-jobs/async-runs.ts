import { randomBytes } from 'node:crypto';
import { AppError } from '../../core/errors.ts';
import { type AsyncInvocation, type AsyncRun, inferenceId } from '../../core/jobs/async-run.ts';
import { REDRIVE_ATTRIBUTE } from '../../core/jobs/dead-letter.ts';
import type { PayloadReference } from '../../core/jobs/job.ts';
import type { OpenInvocations } from '../../core/jobs/open-invocations.ts';
import { payloadKeys } from '../../core/jobs/payload-keys.ts';
import type { PayloadStore } from '../../core/jobs/payload-store.ts';
import { parseJson } from '../../core/json/json.ts';
import { reasonInResponse, refusal } from '../../core/models/model-refusal.ts';
import type { PackedVersion } from '../../core/models/packed-model.ts';
import type { Predictor } from '../../core/models/predictor.ts';
import type { ContainerMessage } from '../../core/protocols/container-message.ts';
import { codecOf } from '../../core/sagemaker/container-codec.ts';
import { ASYNC_LIMITS } from '../../core/sagemaker/endpoint-contract.ts';
import { maxResponseBytes } from '../../core/sagemaker/response-size.ts';
import type { Tensor } from '../../core/tensors/tensor.ts';
import { contextOf } from '../shared/inference/inference.ts';
import { ModelVersions } from '../shared/inference/model-versions.ts';
import type { AsyncEndpoint } from '../shared/predictors/async-endpoint.ts';
import { copyAttributes } from '../shared/queue/requeue.ts';
import type { LeveledResultCache } from '../shared/results/results-cache.ts';
import { sha256 } from '../shared/sha256.ts';
import {
  type Answer,
  type ModelRequest,
  noMeasures,
  type RunMeasures,
  type RunRequestsDeps,
  runRequests,
} from './run-requests.ts';
import type { Received } from './work.ts';

/** Maximum bytes of the record of a run: a message of SQS and the places of thousands of responses. */
const MAX_RECORD_BYTES = 8 * 1024 * 1024;

/**
 * How often a request is submitted that the model refuses. The container may have merged it with another, whose values the
 * model refused.
 */
const ATTEMPTS = 2;

/**
 * Stands among the open numbers of a submission until all of its requests are submitted and recorded. A run whose
 * endpoint is faster than that is completed by the submission itself.
 */
const SUBMITTING = 1_000_000_000;

/** Random bytes of the id of a submission: six characters. */
const SUBMISSION_ID_BYTES = 4;

/** An endpoint that has neither responded nor failed by then never will. */
const GIVE_UP_MS = (ASYNC_LIMITS.waitSeconds + ASYNC_LIMITS.invocationSeconds + 900) * 1000;

/** Dependencies of {@link AsyncRuns}. */
export interface AsyncRunsOptions {
  readonly endpoint: AsyncEndpoint;
  readonly payloads: PayloadStore;
  readonly open: OpenInvocations;
  /** Memory of the function, which bounds the responses that it reads. */
  readonly memoryMiB: number;
}

/** The context of the requests of one message. */
export interface AsyncRunContext {
  readonly inference: RunRequestsDeps;
  /** When the function must stop, on the timer of `inference`. */
  readonly deadlineMs: number;
  /** Filled in when the results are known. */
  readonly measures: RunMeasures;
}

/** A request to the endpoint that a run needs. */
interface EndpointRequest {
  readonly version: string;
  readonly digest: string;
  readonly message: ContainerMessage;
}

/**
 * Runs messages on asynchronous endpoints, without waiting for them. A dry run finds the requests that the model needs;
 * they are submitted, and recorded in S3 together with the message. Once the endpoint has completed all of them, the
 * message is run again, and its predictor reads the responses.
 *
 * The requests depend on the message alone, so that every run of it makes the same.
 *
 * The open requests of a submission are counted in the jobs table before the first one is submitted: a notification
 * costs one write, however many requests the run has, and none arrives too early to count.
 */
export class AsyncRuns {
  readonly #endpoint: AsyncEndpoint;
  readonly #payloads: PayloadStore;
  readonly #open: OpenInvocations;
  readonly #memoryMiB: number;

  constructor({ endpoint, payloads, open, memoryMiB }: AsyncRunsOptions) {
    this.#endpoint = endpoint;
    this.#payloads = payloads;
    this.#open = open;
    this.#memoryMiB = memoryMiB;
  }

  /** The run of a message that was submitted before. */
  find(work: Received): Promise<AsyncRun | undefined> {
    return this.#read(runKey(work));
  }

  /**
   * Runs the requests of a message as far as possible.
   *
   * @param run - The result of {@link find}.
   * @returns Their results; undefined while the endpoint works on them.
   * @throws AppError `BAD_GATEWAY` if the endpoint failed, `TIMEOUT` if it never responded. The next run submits again.
   */
  async run(
    work: Received,
    run: AsyncRun | undefined,
    requests: readonly ModelRequest[],
    context: AsyncRunContext,
  ): Promise<readonly Answer[] | undefined> {
    const key = runKey(work);
    if (run === undefined) return (await cached(requests, context)) ?? this.#start(key, work, requests, context);
    const state = await this.#stateOf(key, run);
    return state === 'done' ? this.#finish(key, run, requests, context) : this.#wait(key, run, state, context);
  }

  /**
   * Records that an endpoint has completed requests of a submission.
   *
   * @param numbers - Their numbers in the run.
   * @returns The run, if nothing of it is open any more.
   */
  async complete(run: string, submission: string, numbers: readonly number[]): Promise<AsyncRun | undefined> {
    return (await this.#open.complete({ run, submission }, numbers)) ? this.#read(run) : undefined;
  }

  /** @throws AppError `BAD_GATEWAY` if the endpoint failed, `TIMEOUT` if it had all the time that it may take. */
  async #wait(key: string, run: AsyncRun, state: 'failed' | 'waiting', { inference }: AsyncRunContext) {
    if (state === 'waiting' && inference.clock.now() - run.submittedAtMs < GIVE_UP_MS) return undefined;
    await this.#forget(key);
    if (state === 'failed') throw new AppError('BAD_GATEWAY', "the model's endpoint failed to answer");
    throw new AppError('TIMEOUT', "the model's endpoint never answered");
  }

  /**
   * Submits the requests that a dry run finds. It takes the same path as the run that reads the responses later, because
   * both must make the same requests.
   */
  async #start(key: string, work: Received, requests: readonly ModelRequest[], context: AsyncRunContext) {
    const needed = new Map<string, EndpointRequest>();
    const { inference } = context;
    const cache = inference.cache === undefined ? undefined : FORGETFUL;
    const codec = codecOf(inference.packed.manifest.compute);
    const dry = { ...context, inference: { ...inference, cache }, measures: noMeasures() };
    const answers = await runWith(requests, dry, COMPUTE_ALL, (packed, version) => ({
      ...packed,
      run: async (inputs) => {
        const request = endpointRequest(codec.encode(inputs), packed, version);
        needed.set(request.digest, request);
        return inference.task.blank(inputs, contextOf({ name: version, packed }, inference));
      },
    }));
    // Every request of the message is invalid.
    if (needed.size === 0) return answers;
    const run = await this.#submit(key, work, [...needed.values()], { at: inference.clock.now(), known: [] });
    return run === undefined ? undefined : this.#finish(key, run, requests, context);
  }

  async #finish(
    key: string,
    run: AsyncRun,
    requests: readonly ModelRequest[],
    context: AsyncRunContext,
  ): Promise<readonly Answer[] | undefined> {
    const codec = codecOf(context.inference.packed.manifest.compute);
    const known = new Map(run.invocations.map((invocation) => [invocation.digest, invocation]));
    const needed = new Map<string, EndpointRequest>();
    const absent: AsyncInvocation[] = [];
    const measures = noMeasures();
    const answers = await runWith(requests, { ...context, measures }, COMPUTE_ALL, (packed, version) => ({
      ...packed,
      run: async (inputs) => {
        const request = endpointRequest(codec.encode(inputs), packed, version);
        const invocation = known.get(request.digest);
        const response = invocation && (await this.#readResponse(invocation, packed, inputs));
        if (response !== undefined) return codec.decodeBody(response);
        const refused = invocation && (await this.#refusalIn(invocation.failure, inputs));
        const attempts = run.invocations.filter(({ digest }) => digest === request.digest).length;
        if (refused !== undefined && attempts >= ATTEMPTS) throw refused;
        if (invocation === undefined || refused !== undefined) needed.set(request.digest, request);
        else absent.push(invocation);
        throw notYet();
      },
    }));
    if (absent.length > 0) {
      const failures = await Promise.all(absent.map(({ failure }) => this.#payloads.has(failure)));
      return this.#wait(key, run, failures.includes(true) ? 'failed' : 'waiting', context);
    }
    if (needed.size === 0) {
      addMeasures(context.measures, measures);
      return answers;
    }
    // Other weights were deployed meanwhile, or one request failed those that it ran with: these are submitted again.
    const at = context.inference.clock.now();
    const resubmitted = await this.#submit(key, run, [...needed.values()], { at, known: run.invocations });
    return resubmitted === undefined ? undefined : this.#finish(key, resubmitted, requests, context);
  }

  /** @returns The run, if the endpoint has completed all of it already. */
  async #submit(
    key: string,
    work: Received | AsyncRun,
    needed: readonly EndpointRequest[],
    { at, known }: { readonly at: number; readonly known: readonly AsyncInvocation[] },
  ): Promise<AsyncRun | undefined> {
    const submission = { run: key, submission: randomBytes(SUBMISSION_ID_BYTES).toString('base64url') };
    await this.#open.start(submission, [SUBMITTING, ...needed.map((_, index) => known.length + index)]);
    const invocations = await Promise.all(
      needed.map(async ({ version, digest, message }, index) => {
        const name = inferenceId({ ...submission, number: known.length + index });
        const place = { key: payloadKeys.asyncInput(key, digest), inferenceId: name };
        return { digest, ...(await this.#endpoint.submit(version, message, place)) };
      }),
    );
    const run: AsyncRun = {
      v: 1,
      message: work.message,
      attributes: 'attributes' in work ? work.attributes : copyAttributes(work),
      submittedAtMs: at,
      submission: submission.submission,
      invocations: [...known, ...invocations],
    };
    await this.#payloads.put(payloadKeys.asyncRun(key), JSON.stringify(run), 'application/json');
    return (await this.#open.complete(submission, [SUBMITTING])) ? run : undefined;
  }

  /** Looks at the requests that no notification has completed, up to the first that the endpoint still works on. */
  async #stateOf(key: string, { submission = '', invocations }: AsyncRun): Promise<'done' | 'failed' | 'waiting'> {
    const open = await this.#open.find({ run: key, submission });
    // The worker that submitted crashed right after it had recorded the run.
    if (open?.includes(SUBMITTING)) await this.#open.complete({ run: key, submission }, [SUBMITTING]);
    const candidates = open === undefined ? invocations : invocations.filter((_, number) => open.includes(number));
    for (const { output, failure } of candidates) {
      if (await this.#payloads.has(output)) continue;
      if (!(await this.#payloads.has(failure))) return 'waiting';
      // The requests that the model refused fail on their own.
      if ((await this.#refusalIn(failure)) === undefined) return 'failed';
    }
    return 'done';
  }

  /** @returns Undefined if the endpoint wrote no response. */
  async #readResponse(
    { output }: AsyncInvocation,
    packed: PackedVersion,
    inputs: Readonly<Record<string, Tensor>>,
  ): Promise<Uint8Array | undefined> {
    const maxBytes = maxResponseBytes(packed, inputs, this.#memoryMiB);
    try {
      return await ifPresent(this.#payloads.get(output, { maxBytes }));
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'BODY_TOO_LARGE') throw error;
      const message = `the endpoint's response is larger than the ${maxBytes} bytes that a worker reads of this model`;
      throw new AppError('ANSWER_TOO_LARGE', message, { cause: error });
    }
  }

  /** @returns Undefined if the endpoint did not fail, or for another reason than the inputs. */
  async #refusalIn(
    failure: PayloadReference,
    inputs: Readonly<Record<string, Tensor>> = {},
  ): Promise<AppError | undefined> {
    const bytes = await ifPresent(this.#payloads.get(failure, { maxBytes: MAX_RECORD_BYTES }));
    if (bytes === undefined) return undefined;
    const readsText = Object.values(inputs).some(({ datatype }) => datatype === 'BYTES');
    const reason = reasonInResponse(new TextDecoder().decode(bytes), { readsText });
    return reason === undefined ? undefined : refusal(reason);
  }

  async #read(key: string): Promise<AsyncRun | undefined> {
    const reference = { bucket: this.#payloads.bucket, key: payloadKeys.asyncRun(key) };
    const bytes = await ifPresent(this.#payloads.get(reference, { maxBytes: MAX_RECORD_BYTES }));
    if (bytes === undefined) return undefined;
    // This module wrote it.
    const run = parseJson(new TextDecoder().decode(bytes)) as AsyncRun | null;
    return run ?? undefined;
  }

  async #forget(key: string): Promise<void> {
    await this.#payloads.put(payloadKeys.asyncRun(key), 'null', 'application/json');
  }
}

/** @returns Undefined if the object does not exist. */
async function ifPresent(reading: Promise<Uint8Array>): Promise<Uint8Array | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof AppError && error.code === 'INPUT_NOT_FOUND') return undefined;
    throw error;
  }
}

/** The key of a run: its message, and the redrive that the message belongs to. */
function runKey({ message, record }: Received): string {
  const own =
    message.kind === 'job' ? [message.owner, message.id, message.hash] : [message.batchId, String(message.index)];
  const redrive = record.messageAttributes[REDRIVE_ATTRIBUTE]?.stringValue ?? '';
  return sha256(Buffer.from(JSON.stringify([message.kind, ...own, redrive])));
}

/** The requests of a run must not depend on the contents of the cache. */
const COMPUTE_ALL = { read: false, write: true } as const;

/** Discards the results of a dry run. */
const FORGETFUL: LeveledResultCache = { get: async () => new Map(), put: async () => undefined };

function addMeasures(total: RunMeasures, { items, tokens, modelMs, cacheHits, cacheMisses }: RunMeasures): void {
  total.items += items;
  total.tokens += tokens;
  total.modelMs += modelMs;
  total.cacheHits += cacheHits;
  total.cacheMisses += cacheMisses;
}

/** Answers from the results cache; undefined unless the cache has all of them. */
async function cached(requests: readonly ModelRequest[], context: AsyncRunContext) {
  if (context.inference.cache === undefined) return undefined;
  let isIncomplete = false;
  const measures = noMeasures();
  const policy = { read: true, write: false };
  const answers = await runWith(requests, { ...context, measures }, policy, (packed) => ({
    ...packed,
    run: () => {
      isIncomplete = true;
      throw notYet();
    },
  }));
  if (isIncomplete) return undefined;
  addMeasures(context.measures, measures);
  return answers;
}

function runWith(
  requests: readonly ModelRequest[],
  { inference, deadlineMs, measures }: AsyncRunContext,
  policy: { readonly read: boolean; readonly write: boolean },
  predictorOf: (packed: PackedVersion, version: string) => Predictor,
): Promise<Answer[]> {
  const versions = new ModelVersions(inference.packed, async (packed, name) => predictorOf(packed, name));
  const { collapse: _, ...deps } = inference;
  return runRequests(requests, { ...deps, versions }, { deadlineMs, measures, policy });
}

/** The code makes runRequests fail the requests that ran together, without a run for each of them. */
function notYet(): AppError {
  return new AppError('TIMEOUT', 'the endpoint has not responded yet');
}

function endpointRequest(message: ContainerMessage, packed: PackedVersion, version: string): EndpointRequest {
  return { version, message, digest: sha256(Buffer.from(`${version}/${packed.sha256}/${sha256(message.body)}`)) };
}
