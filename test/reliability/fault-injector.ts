import type { CallFault, DeliveryFault, LocalFaults, ObservedCall } from '../../local/aws/faults.ts';
import { HeldDeliveries } from './held-deliveries.ts';
import { SeededRandom } from './seeded-random.ts';
import { SERVICES, type ServiceName } from './services.ts';

/** Shares of calls, deliveries and webhooks that go wrong. */
const CALLS_FAIL = 0.05;
const CALLS_THROTTLED = 0.01;
const CALLS_PARTIAL = 0.1;
const CALLS_KILL = 0.006;
const CALLS_HANG = 0.0005;
const DELIVERIES_REPEAT = 0.1;
const DELIVERIES_DELAY = 0.15;
const WEBHOOKS_FAIL = 0.1;

/** Local minutes of an outage. */
const OUTAGE_MINUTES = [1, 3, 10, 45] as const;

/** Calls that a service can do by half. */
const BATCH_ACTIONS = /^(sqs:SendMessage|dynamodb:Batch\w+|events:PutEvents)$/;

/** Workers that only their own requests end, so that the number of their tries is known. */
const FRAGILE = /fragile/;

/** Functions that stop: the worker of the embedding model in each wave, and one of the others. */
const STOPPING_WORKER = 'runjobsminilm';
const STOPPING = ['acceptjobs', 'processbatches', 'deliverwebhooks'] as const;

/** Maximum number of calls that a function makes before one stops it. */
const CALLS_BEFORE_STOP = 12;

/** Functions that work in the background. Outages spare the others, which would only make the submitters wait. */
const BACKGROUND = /acceptjobs|runjobs|processbatches|deliverwebhooks|faillostjobs|sweeprecords/;

/** How a receiver treats a request. */
export type ReceiverFault = 'fail' | 'disconnect';

/** An outage: a service does not respond to the functions that work in the background. */
export interface PlannedOutage {
  readonly service: ServiceName;
  readonly minutes: number;
  /** It starts when this share of a wave's jobs is submitted, from 0 to 1. */
  readonly startsAt: number;
}

/** A function that stops in a call: until its timeout ends it (`stall`), or until it gives the call up (`hang`). */
export interface PlannedStop {
  readonly fault: 'stall' | 'hang';
  /** Part of the function's name. */
  readonly functionName: string;
  /** It is armed when this share of a wave's jobs is submitted, from 0 to 1. */
  readonly startsAt: number;
  /** How many calls the function makes before. */
  readonly afterCalls: number;
}

/** Plans faults: the n-th event of each kind has the same fault for the same seed, whatever happens at the same time. */
export class FaultPlan {
  readonly #seed: number;

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** @param index - How many calls of this action the function has made before. */
  call(functionName: string, action: string, index: number): CallFault | undefined {
    const random = this.#random('call', functionName, action, index);
    const isKilled = random.chance(CALLS_KILL);
    if (isKilled && !FRAGILE.test(functionName)) return random.pick(['kill', 'kill-after'] as const);
    if (random.chance(CALLS_FAIL)) return random.pick(['fail', 'fail-after'] as const);
    if (random.chance(CALLS_THROTTLED)) return 'throttle';
    if (BATCH_ACTIONS.test(action) && random.chance(CALLS_PARTIAL)) return 'partial';
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

  /** @param wave - Index of the wave in which it happens. */
  outage(wave: number): PlannedOutage {
    const random = this.#random('outage', wave);
    return {
      service: random.pick(Object.keys(SERVICES) as ServiceName[]),
      minutes: random.pick(OUTAGE_MINUTES),
      startsAt: random.next(),
    };
  }

  /** @param wave - Index of the wave in which they happen. */
  stops(wave: number): PlannedStop[] {
    const random = this.#random('stops', wave);
    const plan = (fault: PlannedStop['fault'], functionName: string): PlannedStop => {
      return { fault, functionName, startsAt: random.next(), afterCalls: random.whole(0, CALLS_BEFORE_STOP) };
    };
    const worker = plan('stall', STOPPING_WORKER);
    const other = plan('stall', random.pick(STOPPING));
    return [worker, other, plan('hang', random.pick([STOPPING_WORKER, ...STOPPING]))];
  }

  #random(...event: readonly (string | number)[]): SeededRandom {
    return SeededRandom.of(this.#seed, event.join(' '));
  }
}

/** The kind under which a fault is counted. */
const KINDS = {
  fail: 'fail',
  'fail-after': 'fail',
  throttle: 'throttle',
  partial: 'partial',
  hang: 'hang',
  kill: 'kill',
  'kill-after': 'kill',
  stall: 'stall',
} as const satisfies Record<CallFault, string>;

/** Makes services, workers and receivers fail by a {@link FaultPlan}, from {@link start} to {@link stop}. */
export class FaultInjector {
  readonly faults: LocalFaults;
  readonly held = new HeldDeliveries();
  /** How many faults of each kind were injected. */
  readonly injected = { kill: 0, stall: 0, fail: 0, throttle: 0, partial: 0, hang: 0, outage: 0, repeat: 0 };
  readonly #plan: FaultPlan;
  readonly #counts = new Map<string, number>();
  readonly #stops: { readonly fault: CallFault; readonly functionName: string; callsLeft: number }[] = [];
  #isActive = false;
  #outage: { readonly actions: RegExp; readonly isOver: () => boolean } | undefined;

  constructor(seed: number) {
    this.#plan = new FaultPlan(seed);
    this.faults = {
      onCall: (call) => {
        const fault = this.#faultOf(call);
        if (fault !== undefined) this.injected[KINDS[fault]] += 1;
        return fault;
      },
      onDelivery: (delivery) => {
        const held = this.held.faultOf(delivery);
        if (held !== undefined || !this.#isActive) return held;
        const { functionArn } = delivery;
        const fault = this.#plan.delivery(functionArn, this.#count(functionArn));
        if (fault.isRepeated === true) this.injected.repeat += 1;
        return fault;
      },
    };
  }

  /** The fault of the next request to a receiver of webhooks. */
  readonly webhookFault = (): ReceiverFault | undefined =>
    this.#isActive ? this.#plan.webhook(this.#count('webhook')) : undefined;

  /** Starts to kill workers, and to let calls, deliveries and webhooks fail. */
  start(): void {
    this.#isActive = true;
  }

  /**
   * Starts an outage.
   *
   * @param isOver - Whether its time is over.
   */
  startOutage({ service }: PlannedOutage, isOver: () => boolean): void {
    this.injected.outage += 1;
    this.#outage = { actions: SERVICES[service], isOver };
  }

  /** Makes a function stop in one of its next calls. */
  armStop({ fault, functionName, afterCalls }: PlannedStop): void {
    this.#stops.push({ fault, functionName, callsLeft: afterCalls });
  }

  /** Ends all faults. */
  stop(): void {
    this.#isActive = false;
    this.#stops.length = 0;
    this.#outage = undefined;
  }

  #faultOf({ functionName, action }: ObservedCall): CallFault | undefined {
    if (!this.#isActive) return undefined;
    const stop = this.#takeStop(functionName);
    if (stop !== undefined) return stop;
    if (this.#outage?.isOver() === true) this.#outage = undefined;
    if (this.#outage?.actions.test(action) === true && BACKGROUND.test(functionName)) return 'fail';
    return this.#plan.call(functionName, action, this.#count(`${functionName} ${action}`));
  }

  #takeStop(functionName: string): CallFault | undefined {
    const index = this.#stops.findIndex((stop) => functionName.includes(stop.functionName));
    const stop = this.#stops[index];
    if (stop === undefined || stop.callsLeft-- > 0) return undefined;
    this.#stops.splice(index, 1);
    return stop.fault;
  }

  #count(event: string): number {
    const count = this.#counts.get(event) ?? 0;
    this.#counts.set(event, count + 1);
    return count;
  }
}
