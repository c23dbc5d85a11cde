import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';

/** An event that a receiver took and verified. */
export interface ReceivedEvent {
  /** `webhook-id`. */
  readonly id: string;
  readonly body: {
    readonly type: string;
    readonly timestamp: string;
    readonly data: Readonly<Record<string, unknown>>;
  };
}

/** A customer's server that verifies what it gets with the library of the standard's authors. */
export class WebhookReceiver {
  /** Verified events in the order in which they came, repeats included. */
  readonly events: ReceivedEvent[] = [];
  /** Requests whose signature did not verify. */
  refused = 0;
  readonly #server: Server;
  readonly #now: () => number;
  #secrets: readonly string[] = [];

  /**
   * @param nextFault - Called at each request for its fault. Defaults to no faults.
   * @param now - The receiver's time. Defaults to the machine's.
   */
  constructor(
    nextFault: () => 'fail' | 'disconnect' | undefined = () => undefined,
    now: () => number = () => Date.now(),
  ) {
    this.#now = now;
    this.#server = createServer((request, response) => {
      const fault = nextFault();
      if (fault === 'disconnect') {
        request.socket.destroy();
        return;
      }
      if (fault === 'fail') {
        request.resume().on('end', () => response.writeHead(503).end());
        return;
      }
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const headers = Object.fromEntries(
          Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
        );
        try {
          const body = this.#verify(Buffer.concat(chunks).toString(), headers);
          this.events.push({ id: headers['webhook-id'] ?? '', body: body as ReceivedEvent['body'] });
          response.writeHead(204).end();
        } catch {
          this.refused += 1;
          response.writeHead(401).end();
        }
      });
    });
  }

  /** The library asks the machine for the time, from which the sender's may have been moved. */
  #verify(body: string, headers: Record<string, string>): unknown {
    const { now } = Date;
    const nowMs = this.#now();
    Date.now = () => nowMs;
    try {
      const errors: unknown[] = [];
      for (const secret of this.#secrets) {
        try {
          return new Webhook(secret).verify(body, headers);
        } catch (error) {
          errors.push(error);
        }
      }
      throw new AggregateError(errors, 'no secret verifies the signature');
    } finally {
      Date.now = now;
    }
  }

  /** @param secrets - The signing secrets of the callers whose webhooks come here, `whsec_…`. */
  trust(...secrets: readonly string[]): void {
    this.#secrets = secrets;
  }

  /**
   * Listens on the loopback interface.
   *
   * @param port - 0 for a free one.
   * @returns The URL to call.
   */
  async listen(port = 0): Promise<string> {
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hook`;
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }
}
