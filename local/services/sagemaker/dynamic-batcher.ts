import { joined } from '../../../core/tensors/binary-tensor.ts';
import { ELEMENTS, elementCount, type Tensor, type TensorData } from '../../../core/tensors/tensor.ts';

/** Tensors by name. */
export type Tensors = Readonly<Record<string, Tensor>>;

/** A request that the model's queue refuses. */
export class QueueError extends Error {
  override readonly name = 'QueueError';
}

/** How requests are merged. */
export interface BatchingPolicy {
  /** Maximum number of items of a run: the sum of the first dimensions of the requests. */
  readonly maxBatchSize: number;
  /** How long a free model waits for more requests. */
  readonly delayMs: number;
  /** Requests that may wait; zero means no limit. */
  readonly maxQueueSize: number;
  /** How long a request may wait; zero means no limit. */
  readonly timeoutMs: number;
}

interface Waiting {
  readonly inputs: Tensors;
  readonly items: number;
  /** Requests with the same key may be merged. */
  readonly key: string;
  readonly sinceMs: number;
  readonly untilMs: number;
  resolve(outputs: Tensors): void;
  reject(error: unknown): void;
}

/**
 * Merges requests as Triton's dynamic batcher does: a free model takes the oldest request and the others of the same shape
 * except for the first dimension, up to the maximum batch size.
 *
 * @see https://github.com/triton-inference-server/server/blob/main/docs/user_guide/batcher.md
 */
export class DynamicBatcher {
  readonly #policy: BatchingPolicy;
  readonly #run: (inputs: Tensors) => Promise<Tensors>;
  readonly #waiting: Waiting[] = [];
  #isRunning = false;
  #timer: NodeJS.Timeout | undefined;

  /** @param run - Runs the model once. */
  constructor(policy: BatchingPolicy, run: (inputs: Tensors) => Promise<Tensors>) {
    this.#policy = policy;
    this.#run = run;
  }

  /**
   * Runs a request, alone or merged with others.
   *
   * @param timeoutMs - How long it may wait, if that is shorter than the policy says.
   * @throws QueueError if the queue is full or the request waited too long. An error of the model is passed on.
   */
  submit(inputs: Tensors, timeoutMs = 0): Promise<Tensors> {
    const { maxQueueSize, timeoutMs: usualMs } = this.#policy;
    if (maxQueueSize > 0 && this.#waiting.length >= maxQueueSize) {
      return Promise.reject(new QueueError('Exceeds maximum queue size'));
    }
    const [first] = Object.values(inputs);
    const limits = [timeoutMs, usualMs].filter((limit) => limit > 0);
    const sinceMs = performance.now();
    return new Promise((resolve, reject) => {
      this.#waiting.push({
        inputs,
        resolve,
        reject,
        sinceMs,
        items: first?.shape[0] ?? 0,
        key: JSON.stringify(Object.entries(inputs).map(([name, { shape }]) => [name, shape.slice(1)])),
        untilMs: sinceMs + Math.min(...limits, Number.POSITIVE_INFINITY),
      });
      this.#next();
    });
  }

  #next(): void {
    if (this.#isRunning) return;
    clearTimeout(this.#timer);
    this.#dropOverdue();
    const [oldest] = this.#waiting;
    if (oldest === undefined) return;
    const batch = this.#matching(oldest);
    const items = batch.reduce((sum, request) => sum + request.items, 0);
    const waitMs = oldest.sinceMs + this.#policy.delayMs - performance.now();
    if (items < this.#policy.maxBatchSize && waitMs > 0) {
      this.#timer = setTimeout(() => this.#next(), Math.ceil(waitMs));
      return;
    }
    for (const request of batch) this.#waiting.splice(this.#waiting.indexOf(request), 1);
    this.#isRunning = true;
    void this.#runBatch(batch).finally(() => {
      this.#isRunning = false;
      this.#next();
    });
  }

  #dropOverdue(): void {
    const nowMs = performance.now();
    for (const request of this.#waiting.filter(({ untilMs }) => untilMs < nowMs)) {
      this.#waiting.splice(this.#waiting.indexOf(request), 1);
      request.reject(new QueueError('Request timeout expired'));
    }
  }

  #matching(oldest: Waiting): Waiting[] {
    const batch: Waiting[] = [];
    let items = 0;
    for (const request of this.#waiting) {
      if (request.key !== oldest.key) continue;
      if (batch.length > 0 && items + request.items > this.#policy.maxBatchSize) break;
      batch.push(request);
      items += request.items;
    }
    return batch;
  }

  async #runBatch(batch: readonly Waiting[]): Promise<void> {
    try {
      const outputs = await this.#run(merged(batch.map(({ inputs }) => inputs)));
      let from = 0;
      for (const { items, resolve } of batch) {
        resolve(part(outputs, from, from + items));
        from += items;
      }
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
}

/** Puts tensors together along the first dimension. */
function merged(requests: readonly Tensors[]): Tensors {
  const [first = {}] = requests;
  if (requests.length === 1) return first;
  return Object.fromEntries(
    Object.entries(first).map(([name, { datatype, shape }]) => {
      const tensors = requests.map((request) => request[name]).filter((tensor) => tensor !== undefined);
      const rows = tensors.reduce((sum, tensor) => sum + (tensor.shape[0] ?? 0), 0);
      const data = concatenated(
        datatype,
        tensors.map((tensor) => tensor.data),
      );
      return [name, { datatype, shape: [rows, ...shape.slice(1)], data }];
    }),
  );
}

function concatenated(datatype: Tensor['datatype'], parts: readonly TensorData[]): TensorData {
  if (datatype === 'BYTES') return parts.flatMap((data) => data as readonly string[]);
  const bytes = parts.map((data) => {
    const { buffer, byteOffset, byteLength } = data as Uint8Array;
    return new Uint8Array(buffer, byteOffset, byteLength);
  });
  return new ELEMENTS[datatype](joined(bytes).buffer as ArrayBuffer);
}

function part(outputs: Tensors, from: number, to: number): Tensors {
  return Object.fromEntries(
    Object.entries(outputs).map(([name, { datatype, shape, data }]) => {
      const row = elementCount(shape.slice(1));
      return [name, { datatype, shape: [to - from, ...shape.slice(1)], data: data.slice(from * row, to * row) }];
    }),
  );
}
