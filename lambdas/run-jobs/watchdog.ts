import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { TableWrite } from '../shared/aws/table-write.ts';
import type { MessageHolder } from '../shared/queue/handle-each.ts';
import type { WatchdogRequest } from './watchdog-messages.ts';

/** A write that is made at a later time. */
export interface ScheduledWrite {
  /** Cancels the write. When it resolves, the write is not under way. */
  cancel(): Promise<void>;
}

/**
 * A thread beside the worker's own, which the model keeps busy for as long as one run takes: onnxruntime runs a model
 * synchronously. The thread holds messages, so that no other worker receives them meanwhile, and notes what the worker has
 * no time left to note.
 */
export class Watchdog {
  readonly #thread: Worker;
  readonly #replies = new Map<number, () => void>();
  #lastId = 0;

  private constructor(thread: Worker) {
    this.#thread = thread;
    thread.on('message', (id: number) => {
      this.#replies.get(id)?.();
      this.#replies.delete(id);
      if (this.#replies.size === 0) thread.unref();
    });
    // The thread keeps the process alive only while the worker waits for it.
    thread.unref();
  }

  /**
   * Starts the thread.
   *
   * @param file - The bundled `watchdog-thread.ts`.
   * @returns Once it can hold messages: those of a worker that crashes before would return late.
   */
  static async start(file: string): Promise<Watchdog> {
    const thread = new Worker(file);
    await once(thread, 'message');
    return new Watchdog(thread);
  }

  /** Holds messages of a queue. */
  holderOf(queueUrl: string): MessageHolder {
    return {
      hold: (receiptHandles) => this.#send({ kind: 'hold', queueUrl, receiptHandles }),
      letGo: (receiptHandle) => this.#request((id) => ({ kind: 'letGo', id, queueUrl, receiptHandle })),
    };
  }

  /** Makes a write after a time, unless it is canceled before. */
  writeAfter(afterMs: number, write: TableWrite): ScheduledWrite {
    const id = this.#nextId();
    this.#send({ kind: 'write', id, afterMs, write });
    return { cancel: () => this.#request(() => ({ kind: 'cancel', id }), id) };
  }

  #request(requestOf: (id: number) => WatchdogRequest, id = this.#nextId()): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#replies.set(id, resolve);
    this.#send(requestOf(id));
    this.#thread.ref();
    return promise;
  }

  #send(request: WatchdogRequest): void {
    this.#thread.postMessage(request);
  }

  #nextId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }
}
