/** A call that an actor is about to make. */
interface WaitingCall {
  readonly actor: string;
  readonly call: string;
  readonly start: () => void;
}

/** When a test loses an actor. */
interface Loss {
  /** Number of calls that the actor makes before it is lost. */
  readonly afterCalls: number;
  readonly onLost: () => void;
}

/** Wraps a dependency: each of its methods waits for its turn before it is called. */
export type Gate = <T extends object>(name: string, port: T) => T;

/**
 * Interleaves actors that run concurrently. An actor stops before each call of its dependencies, and continues when a test
 * lets it. A lost actor never continues, like a function that was killed: its next call is not made.
 */
export class Interleaving {
  #waiting: WaitingCall[] = [];
  readonly #running = new Set<string>();
  readonly #calls = new Map<string, number>();
  readonly #losses = new Map<string, Loss>();
  readonly #failures: unknown[] = [];
  #notify: () => void = () => undefined;

  /** The calls that the actors are about to make, in the order in which they reached them. */
  get waiting(): readonly Pick<WaitingCall, 'actor' | 'call'>[] {
    return this.#waiting;
  }

  /** Starts an actor, and waits until it is about to make its first call. */
  async start(actor: string, run: (gate: Gate) => Promise<unknown>, loss?: Loss): Promise<void> {
    const turn = (call: string) =>
      new Promise<void>((resolve) => {
        if (!this.#running.has(actor)) return;
        this.#waiting.push({ actor, call, start: resolve });
        this.#notify();
      });
    if (loss !== undefined) this.#losses.set(actor, loss);
    this.#running.add(actor);
    run((name, port) => gated(name, port, turn)).then(
      () => this.#end(actor),
      (error: unknown) => {
        this.#failures.push(error);
        this.#end(actor);
      },
    );
    await this.#settled(actor);
  }

  /** Lets one of the waiting calls happen, and waits until its actor is about to make another one. */
  async step(at: number): Promise<void> {
    const next = this.#waiting[at];
    if (next === undefined) return;
    const { actor } = next;
    const calls = this.#calls.get(actor) ?? 0;
    this.#calls.set(actor, calls + 1);
    const loss = this.#losses.get(actor);
    if (loss?.afterCalls === calls) {
      this.#end(actor);
      loss.onLost();
      return;
    }
    this.#waiting = this.#waiting.filter((other) => other !== next);
    next.start();
    await this.#settled(actor);
  }

  /** Lets an actor run until it is about to make a call. */
  async runUntil(actor: string, call: string): Promise<void> {
    for (;;) {
      const at = this.#waiting.findIndex((other) => other.actor === actor);
      if (at < 0) throw new Error(`${actor} never called ${call}`);
      if (this.#waiting[at]?.call === call) return;
      await this.step(at);
    }
  }

  /** Lets an actor run to its end. */
  async runToEnd(actor: string): Promise<void> {
    for (;;) {
      const at = this.#waiting.findIndex((other) => other.actor === actor);
      if (at < 0) return;
      await this.step(at);
    }
  }

  #end(actor: string): void {
    this.#running.delete(actor);
    this.#waiting = this.#waiting.filter((other) => other.actor !== actor);
    this.#notify();
  }

  async #settled(actor: string): Promise<void> {
    while (this.#running.has(actor) && !this.#waiting.some((other) => other.actor === actor)) {
      await new Promise<void>((resolve) => {
        this.#notify = resolve;
      });
    }
    if (this.#failures.length > 0) throw this.#failures[0];
  }
}

function gated<T extends object>(name: string, port: T, turn: (call: string) => Promise<void>): T {
  return new Proxy(port, {
    get(target, key) {
      const member: unknown = Reflect.get(target, key);
      if (typeof member !== 'function') return member;
      return async (...values: unknown[]) => {
        await turn(`${name}.${String(key)}`);
        return Reflect.apply(member, target, values) as unknown;
      };
    },
  });
}
