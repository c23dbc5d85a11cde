import { readFileSync } from 'node:fs';
import * as v from 'valibot';
import { AppError } from '../../core/errors.ts';
import { parse } from '../../core/parse.ts';
import { DATATYPE_BYTES, type Datatype } from '../../core/tensors/tensor.ts';
import { readTensor } from '../../core/tensors/tensor-json.ts';
import type { Tensors } from '../runtime/session.ts';
import { textFeeds } from './text-feeds.ts';

const tensorSchema = v.strictObject({
  name: v.string('must be a string'),
  datatype: v.picklist(Object.keys(DATATYPE_BYTES) as Datatype[], 'must be a datatype of the Open Inference Protocol'),
  shape: v.array(v.pipe(v.number(), v.integer(), v.minValue(1))),
  data: v.array(v.unknown()),
});

const samplesSchema = v.union(
  [
    v.pipe(v.array(v.string()), v.minLength(1)),
    v.pipe(v.array(v.strictObject({ inputs: v.pipe(v.array(tensorSchema), v.minLength(1)) })), v.minLength(1)),
  ],
  'must be a list of texts, or of requests of the Open Inference Protocol such as {"inputs": […]}',
);

/** Options of {@link readSamples} for turning texts into inputs. */
export interface TextOptions {
  /** Path of the `tokenizer.json`; needed when the samples are texts. */
  readonly tokenizer: string | undefined;
  /** Names of the model's inputs. */
  readonly inputNames: readonly string[];
  /** Tokens after which a text is cut. Defaults to the tokenizer's own limit. */
  readonly maxTokens: number | undefined;
}

/** Inputs of a model, and whether they were made of texts. */
export interface SampleInputs {
  readonly feeds: readonly Tensors[];
  readonly areTexts: boolean;
}

/**
 * Reads a JSON file of sample inputs: a list of texts, or of request bodies of the Open Inference Protocol.
 *
 * @throws AppError `INVALID_PARAMETER` when the file cannot be read or is neither, or texts come without a tokenizer.
 */
export function readSamples(path: string, options: TextOptions): SampleInputs {
  const samples = parse(samplesSchema, readJson(path), path, 'INVALID_PARAMETER');
  const texts = samples.filter((sample) => typeof sample === 'string');
  if (texts.length > 0) {
    if (options.tokenizer === undefined) {
      throw new AppError('INVALID_PARAMETER', `${path} holds texts, which need a tokenizer`, { param: 'tokenizer' });
    }
    const feeds = textFeeds(texts, readJson(options.tokenizer), options.inputNames, options.maxTokens);
    return { feeds, areTexts: true };
  }
  const feeds = samples.flatMap((sample) => (typeof sample === 'string' ? [] : [readRequest(sample.inputs)]));
  return { feeds, areTexts: false };
}

function readRequest(inputs: readonly v.InferOutput<typeof tensorSchema>[]): Tensors {
  return Object.fromEntries(
    inputs.map(({ name, datatype, shape, data }) => [name, readTensor(datatype, shape, data, name)]),
  );
}

/**
 * Parses a JSON file.
 *
 * @throws AppError `INVALID_PARAMETER` when it cannot be read or is no JSON.
 */
export function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    const reason = cause instanceof SyntaxError ? 'is not valid JSON' : 'cannot be read';
    throw new AppError('INVALID_PARAMETER', `${path} ${reason}`, { cause });
  }
}

/**
 * Parts samples into those that ranges are taken from and those that accuracy is measured on: every fourth one.
 *
 * Fewer than eight serve for both: neither half would say much.
 */
export function splitSamples(feeds: readonly Tensors[]): {
  readonly calibration: Tensors[];
  readonly feeds: Tensors[];
} {
  if (feeds.length < 8) return { calibration: [...feeds], feeds: [...feeds] };
  return {
    calibration: feeds.filter((_, index) => index % 4 !== 3),
    feeds: feeds.filter((_, index) => index % 4 === 3),
  };
}
