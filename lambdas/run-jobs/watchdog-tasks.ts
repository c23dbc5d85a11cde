import type { TableWrite } from '../shared/aws/table-write.ts';
import { Heartbeats } from '../shared/queue/heartbeats.ts';
import type { ExtendVisibility } from '../shared/queue/visibility.ts';
import type { WatchdogRequest } from './watchdog-messages.ts';

/** Dependencies of {@link WatchdogTasks}. */
export interface WatchdogDeps {
  readonly extend: ExtendVisibility;
  readonly write: (write: TableWrite) => Promise<void>;
  /** Says that the request with an id was carried out. */
  readonly reply: (id: number) => void;
}

/** Carries out the requests of a worker, in the thread of its watchdog. */
export class WatchdogTasks {
  readonly #deps: WatchdogDeps;
  /** Heartbeats by the URLs of their queues. */
  readonly #heartbeats = new Map<string, Heartbeats>();
  readonly #writes = new Map<number, NodeJS.Timeout>();
  /** Writes under way. */
  #writing: Promise<unknown> = Promise.resolve();

  constructor(deps: WatchdogDeps) {
    this.#deps = deps;
  }

  handle(request: WatchdogRequest): void {
    if (request.kind === 'hold') this.#heartbeatsOf(request.queueUrl).hold(request.receiptHandles);
    else if (request.kind === 'write') this.#schedule(request.id, request.afterMs, request.write);
    else void this.#complete(request).then(() => this.#deps.reply(request.id));
  }

  /** When it resolves, no request is under way that would outlast the invocation. */
  async #complete(request: Extract<WatchdogRequest, { readonly kind: 'letGo' | 'cancel' }>): Promise<void> {
    if (request.kind === 'letGo') {
      await this.#heartbeatsOf(request.queueUrl).letGo(request.receiptHandle);
      return;
    }
    clearTimeout(this.#writes.get(request.id));
    this.#writes.delete(request.id);
    await this.#writing;
  }

  #schedule(id: number, afterMs: number, write: TableWrite): void {
    const start = () => {
      this.#writes.delete(id);
      // A note that cannot be written is missing, and the work itself continues.
      const written = this.#deps.write(write).catch(() => undefined);
      this.#writing = Promise.all([this.#writing, written]);
    };
    this.#writes.set(id, setTimeout(start, afterMs));
  }

  #heartbeatsOf(queueUrl: string): Heartbeats {
    const present = this.#heartbeats.get(queueUrl);
    if (present !== undefined) return present;
    const heartbeats = new Heartbeats((handles, seconds) => this.#deps.extend(queueUrl, handles, seconds));
    this.#heartbeats.set(queueUrl, heartbeats);
    return heartbeats;
  }
}
