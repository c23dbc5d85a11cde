import { closeSync, openSync, readSync } from 'node:fs';
import * as v from 'valibot';
import { AppError } from '../../core/errors.ts';
import { parseJson } from '../../core/json/json.ts';
import { parse } from '../../core/parse.ts';
import { DATATYPE_BYTES, type Datatype } from '../../core/tensors/tensor.ts';
import { readTensor } from '../../core/tensors/tensor-json.ts';
import type { Tensors } from '../runtime/session.ts';
import { findElements, type Span } from './json-array.ts';

/** The rule for the list of a JSON file. */
const RULE = 'must be a list of texts, or of requests of the Open Inference Protocol such as {"inputs": [...]}';

const tensorSchema = v.strictObject({
  name: v.string('must be a string'),
  datatype: v.picklist(Object.keys(DATATYPE_BYTES) as Datatype[], 'must be a datatype of the Open Inference Protocol'),
  shape: v.array(
    v.pipe(
      v.number('must be a whole number'),
      v.integer('must be a whole number'),
      v.minValue(0, 'must be a whole number from 0'),
    ),
    'must be a list of whole numbers',
  ),
  data: v.unknown(),
  parameters: v.optional(v.looseObject({})),
});

/** A request; what says nothing about the inputs is allowed and ignored. */
const requestSchema = v.strictObject({
  id: v.optional(v.string('must be a string')),
  parameters: v.optional(v.looseObject({})),
  inputs: v.array(tensorSchema, 'must be a list of tensors'),
  outputs: v.optional(v.array(v.unknown())),
});

/** A JSON list, whose elements are read from the file one by one. */
export class JsonSamples {
  readonly #path: string;
  readonly #spans: readonly Span[];

  private constructor(path: string, spans: readonly Span[]) {
    this.#path = path;
    this.#spans = spans;
  }

  /**
   * Finds the elements of a file.
   *
   * @throws AppError `INVALID_PARAMETER` when it cannot be read, or is not a list, or is empty.
   */
  static open(path: string): JsonSamples {
    const spans = elementsOf(path);
    if (spans === undefined) throw new AppError('INVALID_PARAMETER', `${path} ${RULE}`, { param: 'inputs' });
    if (spans.length === 0) {
      throw new AppError('INVALID_PARAMETER', `${path} is an empty list, it must contain at least one input`, {
        param: 'inputs',
      });
    }
    return new JsonSamples(path, spans);
  }

  get count(): number {
    return this.#spans.length;
  }

  /** Whether the list holds texts, judged by its first element. */
  get areTexts(): boolean {
    return typeof this.#parse(0) === 'string';
  }

  /** Reads an element that must be a text. */
  readText(index: number): string {
    const value = this.#parse(index);
    if (typeof value === 'string') return value;
    throw new AppError('INVALID_PARAMETER', `${this.nameOf(index)} must be a text, as the first element is`, {
      param: 'inputs',
    });
  }

  /** Reads an element that must be a request. */
  readRequest(index: number): Tensors {
    const value = this.#parse(index);
    const source = this.nameOf(index);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new AppError('INVALID_PARAMETER', `${source} must be a request such as {"inputs": [...]}`, {
        param: 'inputs',
      });
    }
    const { inputs } = parse(requestSchema, value, source, 'INVALID_PARAMETER');
    const tensors = inputs.map(({ name, datatype, shape, data }) => {
      try {
        return [name, readTensor(datatype, shape, data, name)] as const;
      } catch (cause) {
        if (!(cause instanceof AppError)) throw cause;
        throw new AppError('INVALID_PARAMETER', `${source}: ${cause.message}`, { param: 'inputs', cause });
      }
    });
    return Object.fromEntries(tensors);
  }

  /** Name of an element in messages. */
  nameOf(index: number): string {
    return `${this.#path}[${index}]`;
  }

  #parse(index: number): unknown {
    const { start, end } = this.#spans[index] ?? { start: 0, end: 0 };
    const bytes = Buffer.alloc(end - start);
    const file = openSync(this.#path, 'r');
    try {
      for (let done = 0; done < bytes.length; ) {
        const count = readSync(file, bytes, done, bytes.length - done, start + done);
        if (count === 0) break;
        done += count;
      }
      return parseJson(bytes.toString('utf8'));
    } catch (cause) {
      throw new AppError('INVALID_PARAMETER', `${this.nameOf(index)} is not valid JSON`, { param: 'inputs', cause });
    } finally {
      closeSync(file);
    }
  }
}

function elementsOf(path: string): readonly Span[] | undefined {
  try {
    return findElements(path);
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw new AppError('INVALID_PARAMETER', `${path} cannot be read`, { param: 'inputs', cause });
  }
}
