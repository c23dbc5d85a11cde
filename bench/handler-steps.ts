import { jsonEncoded } from '../core/api/body.ts';
import { parseJson } from '../core/json/json.ts';
import { planRuns } from '../core/tasks/contract/micro-batches.ts';
import type { TaskModel } from '../core/tasks/contract/task.ts';
import {
  type EmbeddingModel,
  embeddingDimensions,
  hiddenStateOutput,
} from '../core/tasks/embedding/embedding-model.ts';
import { EMBEDDING_TASK } from '../core/tasks/embedding/embedding-task.ts';
import { decodeOpenAiEmbeddings, encodeOpenAiEmbeddings } from '../core/tasks/embedding/openai-embeddings.ts';
import { poolBatch } from '../core/tasks/embedding/pooling.ts';
import { layOutTexts } from '../core/tasks/embedding/text-batch.ts';
import type { ServeModelDeps } from '../lambdas/serve-model/handler.ts';
import { modelHeaders } from '../lambdas/serve-model/model-headers.ts';
import { proxyResponse } from '../lambdas/shared/http/http-response.ts';
import { logTarget } from '../lambdas/shared/telemetry/log-line.ts';
import { writeRequestLine } from '../lambdas/shared/telemetry/request-line.ts';
import { startMeasures } from '../lambdas/shared/telemetry/request-measures.ts';
import { postEvent } from './gateway-event.ts';
import type { SessionRun } from './run-probe.ts';
import { median } from './statistics.ts';

/** Steps of a request that can be called alone. */
export const HANDLER_STEPS = ['decode', 'tokenize', 'tensors', 'pool', 'encode', 'log'] as const;

/** A step of a request that can be called alone. */
export type HandlerStep = (typeof HANDLER_STEPS)[number];

/** A request whose steps are measured. */
export interface SteppedRequest {
  readonly body: string;
  readonly texts: readonly string[];
  readonly encodingFormat: 'float' | 'base64';
  /** Calls of `session.run` that the request came to. */
  readonly runs: readonly SessionRun[];
  readonly deps: ServeModelDeps;
  readonly quick: boolean;
}

const CALLS = 300;

/** Calls before the clock counts, so that the compiler has seen the step. */
const WARM_UP_CALLS = 100;

/**
 * Measures single steps of a request by calling them alone, on that request's own data.
 *
 * @returns Microseconds by step, medians.
 */
export function measureSteps(request: SteppedRequest): Readonly<Record<HandlerStep, number>> {
  const steps = stepsOf(request);
  const calls = request.quick ? CALLS / 5 : CALLS;
  const measured = HANDLER_STEPS.map((name) => [name, timeStep(steps[name], calls)] as const);
  return Object.fromEntries(measured) as Record<HandlerStep, number>;
}

function timeStep(step: () => unknown, calls: number): number {
  const durations: number[] = [];
  for (let call = -WARM_UP_CALLS; call < calls; call++) {
    const startedMs = performance.now();
    step();
    if (call >= 0) durations.push((performance.now() - startedMs) * 1000);
  }
  return median(durations);
}

function stepsOf({ body, texts, encodingFormat, runs, deps }: SteppedRequest): Record<HandlerStep, () => unknown> {
  const { packed, ports, environment, write } = deps;
  const { tokenizer } = ports;
  const model: TaskModel = packed.manifest;
  const manifest = model as EmbeddingModel;
  const version = Object.values(packed.versions)[0];
  if (tokenizer === undefined || version === undefined) throw new Error('the model must be one that embeds texts');
  const limits = {
    maxItems: manifest.limits.maxItems,
    dimensions: embeddingDimensions(version),
    truncation: 'none' as const,
  };
  const rows = texts.map((text) => tokenizer.encode(text));
  const output = hiddenStateOutput(version);
  const batches = runs.map((run) => readBatch(run, output.name));
  const pool = () => batches.flatMap(({ states, lengths }) => poolBatch(states, lengths, manifest.embedding));
  const vectors = pool();
  const event = { ...postEvent('/v1/embeddings', body), measures: measuresOf(rows, runs) };
  const headers = { modelId: manifest.id, now: () => Date.now(), timer: () => performance.now() };
  const target = logTarget({ ...environment, write }, { now: () => Date.now() });
  return {
    decode: () => decodeOpenAiEmbeddings(parseJson(body), limits),
    tokenize: () => texts.map((text) => tokenizer.encode(text)),
    tensors: () => {
      const plan = planRuns(
        rows.map(({ length }) => length),
        EMBEDDING_TASK.budget(manifest),
      );
      return plan.map((batch) =>
        layOutTexts(
          batch.map((row) => rows[row] ?? []),
          version.inputs,
        ),
      );
    },
    pool,
    encode: () => {
      const answer = { model: manifest.id, embeddings: vectors, encodingFormat, promptTokens: event.measures.tokens };
      return proxyResponse(
        { content: jsonEncoded(encodeOpenAiEmbeddings(answer)) },
        modelHeaders(event.measures, headers),
      );
    },
    log: () =>
      writeRequestLine(target, {
        event,
        measures: event.measures,
        awsRequestId: event.requestContext.requestId,
        status: 200,
        error: undefined,
        model: manifest.id,
        latencyMs: 4,
        isCold: false,
        failures: [],
      }),
  };
}

/** Reads the output of the model for one batch, and the number of tokens of each item. */
function readBatch({ feeds, results }: SessionRun, outputName: string) {
  const output = results[outputName];
  const mask = feeds['attention_mask'];
  if (!(output?.data instanceof Float32Array) || !(mask?.data instanceof BigInt64Array)) {
    throw new Error('the model must be a text encoder with an attention mask');
  }
  const [items = 0, tokens = 0, width = 0] = output.dims;
  const bits = mask.data;
  const lengths = Array.from(
    { length: items },
    (_, item) => bits.subarray(item * tokens, (item + 1) * tokens).filter((bit) => bit === 1n).length,
  );
  return { states: { data: output.data, tokens, width }, lengths };
}

function measuresOf(rows: readonly (readonly number[])[], runs: readonly SessionRun[]) {
  return {
    ...startMeasures(performance.now()),
    version: '1',
    items: rows.length,
    tokens: rows.reduce((sum, { length }) => sum + length, 0),
    modelMs: runs.reduce((sum, { durationMs }) => sum + durationMs, 0),
    cache: 'BYPASS' as const,
  };
}
