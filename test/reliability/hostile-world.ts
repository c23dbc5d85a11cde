import type { LocalFaults } from '../../local/aws/faults.ts';
import type { LocalStack } from '../../local/start.ts';
import type { SeededRandom } from './seeded-random.ts';

/** Shares of calls and deliveries that go wrong. */
const CALLS_FAIL = 0.06;
const CALLS_HANG = 0.0005;
const DELIVERIES_REPEAT = 0.1;
const DELIVERIES_DELAY = 0.15;
const RECEIVER_FAILS = 0.3;

/** Pause between two killings, in milliseconds. */
const KILL_PAUSE_MS = [300, 1500] as const;

/** All that goes wrong in a run, until {@link calmDown}. */
export class HostileWorld {
  readonly faults: LocalFaults;
  kills = 0;
  failedCalls = 0;
  repeatedDeliveries = 0;
  readonly #random: SeededRandom;
  #isCalm = true;
  #killing: NodeJS.Timeout | undefined;

  constructor(random: SeededRandom) {
    this.#random = random;
    this.faults = {
      onCall: () => {
        if (this.#isCalm || !random.chance(CALLS_FAIL))
          return !this.#isCalm && random.chance(CALLS_HANG) ? 'hang' : undefined;
        this.failedCalls += 1;
        return random.pick(['fail', 'fail-after'] as const);
      },
      onDelivery: () => {
        if (this.#isCalm) return undefined;
        const isRepeated = random.chance(DELIVERIES_REPEAT);
        if (isRepeated) this.repeatedDeliveries += 1;
        return { isRepeated, ...(random.chance(DELIVERIES_DELAY) ? { delayMs: random.whole(1, 400) } : {}) };
      },
    };
  }

  /** How a receiver of webhooks feels right now. */
  readonly mood = (): 'works' | 'fails' | 'hangs up' => {
    if (this.#isCalm || !this.#random.chance(RECEIVER_FAILS)) return 'works';
    return this.#random.pick(['fails', 'hangs up'] as const);
  };

  /** Begins to kill workers at random points, and to let calls and deliveries go wrong. */
  rage({ lambda }: Pick<LocalStack, 'lambda'>): void {
    this.#isCalm = false;
    const plan = (): void => {
      this.#killing = setTimeout(
        () => {
          const { pids } = lambda;
          if (pids.length > 0 && kill(this.#random.pick(pids))) this.kills += 1;
          plan();
        },
        this.#random.whole(...KILL_PAUSE_MS),
      );
    };
    plan();
  }

  /** From now on everything works. */
  calmDown(): void {
    this.#isCalm = true;
    clearTimeout(this.#killing);
  }
}

function kill(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL');
  } catch {
    return false; // It ended by itself meanwhile.
  }
}
