import { AppError } from '../../core/errors.ts';
import { type AsyncInvocation, type AsyncRun, inferenceId } from '../../core/jobs/async-run.ts';
import { REDRIVE_ATTRIBUTE } from '../../core/jobs/dead-letter.ts';
import { payloadKeys } from '../../core/jobs/payload-keys.ts';
import type { PayloadStore } from '../../core/jobs/payload-store.ts';
import { parseJson } from '../../core/json/json.ts';
import type { PackedVersion } from '../../core/models/packed-model.ts';
import type { Predictor } from '../../core/models/predictor.ts';
import type { ContainerMessage } from '../../core/protocols/container-message.ts';
import { codecOf } from '../../core/sagemaker/container-codec.ts';
import { ASYNC_LIMITS } from '../../core/sagemaker/endpoint-contract.ts';
import { embeddingDimensions, hiddenStateOutput, pooledOutput } from '../../core/tasks/embedding/embedding-model.ts';
import { elementCount, type Tensor } from '../../core/tensors/tensor.ts';
import { type InferenceDeps, readsTexts } from '../shared/inference/inference.ts';
import { ModelVersions } from '../shared/inference/model-versions.ts';
import type { AsyncEndpoint } from '../shared/predictors/async-endpoint.ts';
import { copyAttributes } from '../shared/queue/requeue.ts';
import type { TieredResultCache } from '../shared/results/tiered-result-cache.ts';
import { sha256 } from '../shared/sha256.ts';

import { type Answer, type ModelRequest, noMeasures, type RunMeasures, runRequests } from './run-requests.ts';
import type { Received } from './work.ts';

/** Most bytes of an answer: what an endpoint writes for one request of the largest size. */
const MAX_OUTPUT_BYTES = 1024 ** 3;

/** When an endpoint has neither answered nor failed by then, it never will. */
const GIVE_UP_MS = (ASYNC_LIMITS.waitSeconds + ASYNC_LIMITS.invocationSeconds + 900) * 1000;

/** What {@link AsyncRuns} works with. */
export interface AsyncRunsOptions {
  readonly endpoint: AsyncEndpoint;
  readonly payloads: PayloadStore;
}

/** What requests of one message are run with. */
export interface AsyncRunContext {
  readonly inference: InferenceDeps;
  /** When the function must stop, on the timer of `inference`. */
  readonly deadlineMs: number;
  /** Filled in once there are answers. */
  readonly measures: RunMeasures;
}

/** A request to the endpoint that a run needs. */
interface Wanted {
  readonly version: string;
  readonly digest: string;
  readonly message: ContainerMessage;
}

/**
 * Runs messages on asynchronous endpoints, without waiting for them: what the model is to be asked is handed over, and
 * noted in S3 together with the message. When everything is answered, the message is run again, and the predictor reads
 * the answers instead of computing them.
 *
 * The requests of a message are made of that message alone, so that each time makes the same.
 */
export class AsyncRuns {
  readonly #endpoint: AsyncEndpoint;
  readonly #payloads: PayloadStore;

  constructor({ endpoint, payloads }: AsyncRunsOptions) {
    this.#endpoint = endpoint;
    this.#payloads = payloads;
  }

  /** The run of a message that was handed over before. */
  find(work: Received): Promise<AsyncRun | undefined> {
    return this.#read(runKey(work));
  }

  /**
   * Runs the requests of a message as far as they can be.
   *
   * @param run - What {@link find} found.
   * @returns Their answers; undefined while the endpoint works on them.
   * @throws AppError `BAD_GATEWAY` when the endpoint failed, `TIMEOUT` when it never answered; the next time begins anew.
   */
  async run(
    work: Received,
    run: AsyncRun | undefined,
    requests: readonly ModelRequest[],
    context: AsyncRunContext,
  ): Promise<readonly Answer[] | undefined> {
    const key = runKey(work);
    if (run === undefined) return (await cached(requests, context)) ?? this.#begin(key, work, requests, context);
    const states = await this.#statesOf(run);
    if (states.includes('failed')) {
      await this.#forget(key);
      throw new AppError('BAD_GATEWAY', "the model's endpoint failed to answer");
    }
    if (!states.includes('waiting')) return this.#finish(key, run, requests, context);
    if (context.inference.clock.now() - run.submittedAtMs < GIVE_UP_MS) return undefined;
    await this.#forget(key);
    throw new AppError('TIMEOUT', "the model's endpoint never answered");
  }

  /**
   * Hears that a request of a run has ended.
   *
   * @returns The run, when nothing of it is open any more.
   */
  async ended(key: string): Promise<AsyncRun | undefined> {
    const run = await this.#read(key);
    if (run === undefined) return undefined;
    const states = await this.#statesOf(run);
    return states.includes('waiting') ? undefined : run;
  }

  /**
   * A dry run: nothing is computed, and what the model would be asked is handed over. It goes the way of the run that
   * comes later, for that must ask the same.
   */
  async #begin(key: string, work: Received, requests: readonly ModelRequest[], context: AsyncRunContext) {
    const wanted = new Map<string, Wanted>();
    const { inference } = context;
    const cache = inference.cache === undefined ? undefined : FORGETFUL;
    const codec = codecOf(inference.packed.manifest.compute);
    const dry = { ...context, inference: { ...inference, cache }, measures: noMeasures() };
    const answers = await runWith(requests, dry, COMPUTE_ALL, (packed, version) => ({
      ...packed,
      run: async (inputs) => {
        const one = wantedOf(codec.encode(inputs), packed, version);
        wanted.set(one.digest, one);
        if (!readsTexts(inference)) throw notYet();
        return blankAnswer(inputs, packed);
      },
    }));
    // Nothing to ask: every request is wrong.
    if (wanted.size === 0) return answers;
    await this.#submit(key, work, [...wanted.values()], { at: inference.clock.now(), known: [] });
    return undefined;
  }

  async #finish(key: string, run: AsyncRun, requests: readonly ModelRequest[], context: AsyncRunContext) {
    const codec = codecOf(context.inference.packed.manifest.compute);
    const known = new Map(run.invocations.map((invocation) => [invocation.digest, invocation]));
    const wanted = new Map<string, Wanted>();
    const measures = noMeasures();
    const answers = await runWith(requests, { ...context, measures }, COMPUTE_ALL, (packed, version) => ({
      ...packed,
      run: async (inputs) => {
        const one = wantedOf(codec.encode(inputs), packed, version);
        const invocation = known.get(one.digest);
        if (invocation !== undefined) return codec.decodeBody(await this.#readOutput(invocation));
        wanted.set(one.digest, one);
        throw notYet();
      },
    }));
    if (wanted.size === 0) {
      addMeasures(context.measures, measures);
      return answers;
    }
    // Other weights were deployed meanwhile, or one request spoiled what it ran with: those are asked anew.
    const at = context.inference.clock.now();
    await this.#submit(key, run, [...wanted.values()], { at, known: run.invocations });
    return undefined;
  }

  async #submit(
    key: string,
    work: Received | AsyncRun,
    wanted: readonly Wanted[],
    { at, known }: { readonly at: number; readonly known: readonly AsyncInvocation[] },
  ): Promise<void> {
    const invocations = await Promise.all(
      wanted.map(async ({ version, digest, message }, index) => {
        const place = { key: payloadKeys.asyncInput(key, digest), inferenceId: inferenceId(key, known.length + index) };
        return { digest, ...(await this.#endpoint.submit(version, message, place)) };
      }),
    );
    const run: AsyncRun = {
      v: 1,
      message: work.message,
      attributes: 'attributes' in work ? work.attributes : copyAttributes(work),
      submittedAtMs: at,
      invocations: [...known, ...invocations],
    };
    await this.#payloads.put(payloadKeys.asyncRun(key), JSON.stringify(run), 'application/json');
  }

  #statesOf({ invocations }: AsyncRun) {
    return Promise.all(invocations.map((invocation) => this.#stateOf(invocation)));
  }

  async #stateOf({ output, failure }: AsyncInvocation): Promise<'done' | 'failed' | 'waiting'> {
    if (await this.#payloads.has(output)) return 'done';
    return (await this.#payloads.has(failure)) ? 'failed' : 'waiting';
  }

  #readOutput({ output }: AsyncInvocation): Promise<Uint8Array> {
    return this.#payloads.get(output, { maxBytes: MAX_OUTPUT_BYTES });
  }

  async #read(key: string): Promise<AsyncRun | undefined> {
    const reference = { bucket: this.#payloads.bucket, key: payloadKeys.asyncRun(key) };
    if (!(await this.#payloads.has(reference))) return undefined;
    const bytes = await this.#payloads.get(reference, { maxBytes: MAX_OUTPUT_BYTES });
    // This module wrote it.
    const run = parseJson(new TextDecoder().decode(bytes)) as AsyncRun | null;
    return run ?? undefined;
  }

  async #forget(key: string): Promise<void> {
    await this.#payloads.put(payloadKeys.asyncRun(key), 'null', 'application/json');
  }
}

/** What names a run: the message, and which redrive of it. */
function runKey({ message, record }: Received): string {
  const own =
    message.kind === 'job' ? [message.owner, message.id, message.hash] : [message.batchId, String(message.index)];
  const redrive = record.messageAttributes[REDRIVE_ATTRIBUTE]?.stringValue ?? '';
  return sha256(Buffer.from(JSON.stringify([message.kind, ...own, redrive])));
}

/** What a run asks must not depend on what the cache holds by then. */
const COMPUTE_ALL = { read: false, write: true } as const;

/** Takes what a dry run would keep. */
const FORGETFUL: TieredResultCache = { get: async () => new Map(), put: async () => undefined };

function addMeasures(total: RunMeasures, { items, tokens, modelMs, cacheHits, cacheMisses }: RunMeasures): void {
  total.items += items;
  total.tokens += tokens;
  total.modelMs += modelMs;
  total.cacheHits += cacheHits;
  total.cacheMisses += cacheMisses;
}

/** Answers out of the results cache; undefined unless it has all that the model would be asked. */
async function cached(requests: readonly ModelRequest[], context: AsyncRunContext) {
  if (context.inference.cache === undefined) return undefined;
  let isAsked = false;
  const measures = noMeasures();
  const policy = { read: true, write: false };
  const answers = await runWith(requests, { ...context, measures }, policy, (packed) => ({
    ...packed,
    run: () => {
      isAsked = true;
      throw notYet();
    },
  }));
  if (isAsked) return undefined;
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

/** Runs that time out are not tried one by one. */
function notYet(): AppError {
  return new AppError('TIMEOUT', 'the model has not answered yet');
}

function wantedOf(message: ContainerMessage, packed: PackedVersion, version: string): Wanted {
  return { version, message, digest: sha256(Buffer.from(`${version}/${packed.sha256}/${sha256(message.body)}`)) };
}

/** Tensors that have the shapes of an answer and say nothing, so that the rest of a dry run goes on. */
function blankAnswer(inputs: Readonly<Record<string, Tensor>>, packed: PackedVersion): Record<string, Tensor> {
  const [first] = Object.values(inputs);
  const [items = 0, tokens = 0] = first?.shape ?? [];
  const pooled = pooledOutput(packed);
  const { name } = pooled ?? hiddenStateOutput(packed);
  const width = embeddingDimensions(packed);
  const shape = pooled === undefined ? [items, tokens, width] : [items, width];
  return { [name]: { datatype: 'FP32', shape, data: new Float32Array(elementCount(shape)).fill(1) } };
}
