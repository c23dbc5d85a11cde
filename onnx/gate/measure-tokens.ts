import { AppError } from '../../core/errors.ts';
import type { Tensor } from '../../core/tensors/tensor.ts';
import { callerInputs, signatureOf } from '../format/inspect.ts';
import { decodeModel } from '../format/proto.ts';
import { openSession, type Tensors } from '../runtime/session.ts';

const WARM_UP_RUNS = 3;
const RUNS = 9;

/**
 * Measures how long a text encoder takes for one text, on one thread of this machine.
 *
 * @param weights - ONNX file.
 * @param tokens - Tokens of the text.
 * @returns The median of several runs, in milliseconds.
 * @throws AppError `ONNX_INVALID` when the model takes anything but token ids and masks.
 */
export async function measureTokens(weights: Uint8Array, tokens: number): Promise<number> {
  const inputs = callerInputs(decodeModel(weights)).map(signatureOf);
  const feed: Tensors = Object.fromEntries(inputs.map(({ name, type }) => [name, ones(name, type, Math.ceil(tokens))]));
  const session = await openSession(weights);
  try {
    const times: number[] = [];
    for (let run = 0; run < WARM_UP_RUNS + RUNS; run++) {
      const startedMs = performance.now();
      await session.run(feed);
      if (run >= WARM_UP_RUNS) times.push(performance.now() - startedMs);
    }
    return times.toSorted((a, b) => a - b)[Math.floor(RUNS / 2)] ?? 0;
  } finally {
    await session.release();
  }
}

function ones(name: string, type: string, tokens: number): Tensor {
  const value = name === 'token_type_ids' ? 0 : 1;
  const shape = [1, tokens];
  if (type === 'int64') return { datatype: 'INT64', shape, data: new BigInt64Array(tokens).fill(BigInt(value)) };
  if (type === 'int32') return { datatype: 'INT32', shape, data: new Int32Array(tokens).fill(value) };
  throw new AppError('ONNX_INVALID', `only token ids and masks can be made up, the model wants ${name} ${type}`);
}
