import type { CallFault, DeliveryFault, LocalFaults } from '../../local/aws/faults.ts';
import { SeededRandom } from './seeded-random.ts';

/** Shares of calls, deliveries and webhooks that go wrong. */
const CALLS_FAIL = 0.06;
const CALLS_HANG = 0.0005;
const DELIVERIES_REPEAT = 0.1;
const DELIVERIES_DELAY = 0.15;
const WEBHOOKS_FAIL = 0.3;

/** Pause between two kills, in milliseconds. */
const KILL_PAUSE_MS = [300, 1500] as const;

/** How a receiver treats a request. */
export type ReceiverFault = 'fail' | 'disconnect';

/** Plans faults: the n-th event of each kind has the same fault for the same seed, whatever happens at the same time. */
export class FaultPlan {
  readonly #seed: number;

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** @param index - How many calls of this action the function has made before. */
  call(functionName: string, action: string, index: number): CallFault | undefined {
    const random = this.#random('call', functionName, action, index);
    if (random.chance(CALLS_FAIL)) return random.pick(['fail', 'fail-after'] as const);
    return random.chance(CALLS_HANG) ? 'hang' : undefined;
  }

  /** @param index - How many batches of messages the function has received from its queues before. */
  delivery(functionArn: string, index: number): DeliveryFault {
    const random = this.#random('delivery', functionArn, index);
    const isRepeated = random.chance(DELIVERIES_REPEAT);
    return { isRepeated, ...(random.chance(DELIVERIES_DELAY) ? { delayMs: random.whole(1, 400) } : {}) };
  }

  /** @param index - How many requests the receiver has had before. */
  webhook(index: number): ReceiverFault | undefined {
    const random = this.#random('webhook', index);
    return random.chance(WEBHOOKS_FAIL) ? random.pick(['fail', 'disconnect'] as const) : undefined;
  }

  /** @returns When to kill a worker after the kill before, and which one, as a share of all workers from 0 to 1. */
  kill(index: number): { readonly pauseMs: number; readonly victim: number } {
    const random = this.#random('kill', index);
    return { pauseMs: random.whole(...KILL_PAUSE_MS), victim: random.next() };
  }

  #random(...event: readonly (string | number)[]): SeededRandom {
    return SeededRandom.of(this.#seed, event.join(' '));
  }
}

/** Makes services, workers and receivers fail by a {@link FaultPlan}, from {@link start} to {@link stop}. */
export class FaultInjector {
  readonly faults: LocalFaults;
  kills = 0;
  failedCalls = 0;
  repeatedDeliveries = 0;
  readonly #plan: FaultPlan;
  readonly #counts = new Map<string, number>();
  #isActive = false;
  #nextKill: NodeJS.Timeout | undefined;

  constructor(seed: number) {
    this.#plan = new FaultPlan(seed);
    this.faults = {
      onCall: ({ functionName, action }) => {
        if (!this.#isActive) return undefined;
        const fault = this.#plan.call(functionName, action, this.#count(`${functionName} ${action}`));
        if (fault === 'fail' || fault === 'fail-after') this.failedCalls += 1;
        return fault;
      },
      onDelivery: ({ functionArn }) => {
        if (!this.#isActive) return undefined;
        const fault = this.#plan.delivery(functionArn, this.#count(functionArn));
        if (fault.isRepeated === true) this.repeatedDeliveries += 1;
        return fault;
      },
    };
  }

  /** The fault of the next request to a receiver of webhooks. */
  readonly webhookFault = (): ReceiverFault | undefined =>
    this.#isActive ? this.#plan.webhook(this.#count('webhook')) : undefined;

  /**
   * Starts to kill workers, and to let calls, deliveries and webhooks fail.
   *
   * @param workers - Process ids of the workers at any time.
   */
  start(workers: { readonly pids: readonly number[] }): void {
    this.#isActive = true;
    const scheduleKill = (): void => {
      const { pauseMs, victim } = this.#plan.kill(this.#count('kill'));
      this.#nextKill = setTimeout(() => {
        const { pids } = workers;
        const pid = pids[Math.floor(victim * pids.length)];
        if (pid !== undefined && kill(pid)) this.kills += 1;
        scheduleKill();
      }, pauseMs);
    };
    scheduleKill();
  }

  /** Ends all faults. */
  stop(): void {
    this.#isActive = false;
    clearTimeout(this.#nextKill);
  }

  #count(event: string): number {
    const count = this.#counts.get(event) ?? 0;
    this.#counts.set(event, count + 1);
    return count;
  }
}

function kill(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL');
  } catch {
    return false; // It has ended by itself meanwhile.
  }
}
