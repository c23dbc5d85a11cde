import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda';
import { type Manifest, parseManifest } from '../../../core/models/manifest.ts';
import type { PackedModel, PackedVersion } from '../../../core/models/packed-model.ts';
import type { Predictor } from '../../../core/models/predictor.ts';
import type { ResultCache } from '../../../core/results/result-cache.ts';
import type { TextTokenizer } from '../../../core/tasks/contract/text-tokenizer.ts';
import { taskOf } from '../../../core/tasks/tasks.ts';
import type { Tensor } from '../../../core/tensors/tensor.ts';
import { manifestTraffic } from '../../../core/traffic/traffic.ts';
import { fixedTraffic } from '../../../core/traffic/traffic-source.ts';
import type { ServeModelDeps } from '../../../lambdas/serve-model/handler.ts';
import { createHandler } from '../../../lambdas/serve-model/handler.ts';
import { ModelVersions } from '../../../lambdas/shared/inference/model-versions.ts';
import { MemoryResultCache } from '../../../lambdas/shared/results/memory-result-cache.ts';
import { type CacheFailure, ResultsCache } from '../../../lambdas/shared/results/results-cache.ts';
import { connected, testClock } from '../../contracts/result-cache.ts';
import { lambdaContext } from '../events.ts';

/** Length of the vectors that the models of these tests give. */
export const WIDTH = 4;

/** Token ids of these tests: a start, an end, and one for each word by its length. */
const [START, END, FIRST_WORD, VOCABULARY_SIZE] = [1, 2, 3, 100];

/** A tokenizer of words: the id of a word says how long it is. */
export const WORD_TOKENIZER: TextTokenizer = {
  vocabularySize: VOCABULARY_SIZE,
  encode: (text) => [START, ...text.split(' ').map((word) => FIRST_WORD + word.length), END],
  wrap: (ids) => (ids[0] === START ? ids : [START, ...ids, END]),
  truncate: (ids, maxTokens, side) =>
    side === 'start' ? [START, ...ids.slice(1 - maxTokens)] : [...ids.slice(0, maxTokens - 1), END],
};

/** A text encoder whose hidden states are made of the token ids alone; it notes the shapes it was run with. */
export class WordEncoder implements Predictor {
  readonly inputs: Predictor['inputs'];
  readonly outputs: Predictor['outputs'];
  readonly shapes: (readonly number[])[] = [];
  /** Value that replaces every hidden state; undefined replaces none. */
  poison: number | undefined;

  constructor({ inputs, outputs }: PackedVersion) {
    this.inputs = inputs;
    this.outputs = outputs;
  }

  async run(tensors: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>> {
    const { input_ids: ids } = tensors;
    if (ids === undefined) throw new Error('no input_ids');
    this.shapes.push(ids.shape);
    const data = Float32Array.from({ length: ids.data.length * WIDTH }, (_, at) => {
      const id = Number(ids.data[Math.floor(at / WIDTH)]);
      return this.poison ?? Math.sin(id * (1 + (at % WIDTH)));
    });
    return { last_hidden_state: { datatype: 'FP32', shape: [...ids.shape, WIDTH], data } };
  }
}

/** Versions of the packed model of these tests; both have the same inputs and outputs. */
function packedVersion(name: string): PackedVersion {
  return {
    file: `${name}.ort`,
    sha256: name.repeat(64),
    bytes: 1,
    inputs: [
      { name: 'input_ids', datatype: 'INT64', shape: [-1, -1] },
      { name: 'attention_mask', datatype: 'INT64', shape: [-1, -1] },
    ],
    outputs: [{ name: 'last_hidden_state', datatype: 'FP32', shape: [-1, -1, WIDTH] }],
  };
}

/** Describes a model of texts. */
export function textModel(overrides: Partial<Record<keyof Manifest | 'embedding', unknown>> = {}): PackedModel {
  const versions = { '1': packedVersion('1'), '2': packedVersion('2') };
  const manifest = parseManifest(
    {
      id: 'words',
      task: 'embedding',
      versions: {
        '1': { weights: '1/model.onnx', sha256: versions['1'].sha256 },
        '2': { weights: '2/model.onnx', sha256: versions['2'].sha256 },
      },
      traffic: { '1': 100 },
      limits: { maxItems: 8, maxTokens: 16 },
      ...overrides,
    },
    'test',
  );
  return { manifest, versions };
}

/** Settings of {@link serveInMemory}. */
export interface MemoryDepsOptions {
  readonly packed?: PackedModel;
  readonly tokenizer?: TextTokenizer;
  readonly load?: (version: PackedVersion) => Promise<Predictor>;
  /** Null keeps no results at all. */
  readonly table?: ResultCache | null;
  readonly failures?: CacheFailure[];
  readonly siblings?: readonly string[];
  readonly modelAliases?: Readonly<Record<string, string>>;
  readonly forward?: (target: string, event: APIGatewayProxyEvent) => Promise<APIGatewayProxyResult>;
}

/** Serves a model without files, sockets and time. */
export function serveInMemory(options: MemoryDepsOptions = {}) {
  const { packed = textModel(), table, failures = [], siblings = [], modelAliases = {} } = options;
  const clock = testClock();
  const encoders: WordEncoder[] = [];
  const lines: Record<string, unknown>[] = [];
  const load =
    options.load ??
    (async (version: PackedVersion) => {
      const encoder = new WordEncoder(version);
      encoders.push(encoder);
      return encoder;
    });
  const memory = new MemoryResultCache({ maxBytes: 1_000_000, ttlSeconds: 3600, clock });
  const deps: ServeModelDeps = {
    packed,
    environment: { siblings, modelAliases, metricsNamespace: 'Tensorgate', metrics: 'basic' as const, stage: 'dev' },
    versions: new ModelVersions(packed, load),
    traffic: fixedTraffic(manifestTraffic(packed.manifest)),
    task: taskOf(packed.manifest).task,
    ports: { tokenizer: options.tokenizer ?? WORD_TOKENIZER },
    cache:
      table === null
        ? undefined
        : new ResultsCache({ memory, table: table === undefined ? undefined : connected(table), clock }),
    forward: options.forward ?? (() => Promise.reject(new Error('no sibling'))),
    clock,
    timer: () => clock.nowMs,
    write: (line) => lines.push(JSON.parse(line) as Record<string, unknown>),
    takeCacheFailures: () => failures.splice(0),
  };
  const handler = createHandler(deps);
  return {
    deps,
    clock,
    encoders,
    lines,
    send: (event: APIGatewayProxyEvent) => handler(event, lambdaContext()),
  };
}

/** Parses the body of a response. */
export function bodyOf(answer: APIGatewayProxyResult): Record<string, unknown> {
  return JSON.parse(answer.body) as Record<string, unknown>;
}
