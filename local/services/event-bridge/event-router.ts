import { randomUUID } from 'node:crypto';
import type { Clock } from '../../../core/clock.ts';
import { type ActivitySink, type EventDelivered, NO_ACTIVITY } from '../../activity/activity.ts';
import { LOCAL_ACCOUNT } from '../../template/account.ts';
import type { JsonObject } from '../../template/json.ts';
import { DEFAULT_EVENT_BUS } from '../../template/physical-names.ts';
import type { EventBusPlan, EventTargetPlan, ScheduledRulePlan } from '../../template/plan-event-buses.ts';
import { compilePattern, type EventMatcher } from './event-pattern.ts';
import { placeIn, transformEvent } from './transform-event.ts';

/** Delivers to the targets of rules. */
export interface EventTargets {
  /** Puts a message into a queue. */
  sendMessage(queueArn: string, body: string): Promise<void>;
  /** Invokes a function as an event of a rule. */
  invoke(functionArn: string, payload: string, ruleArn: string): Promise<void>;
  /** Writes a line into a log group. */
  log(logGroupArn: string, line: string): Promise<void>;
}

/** Dependencies of an {@link EventRouter}. */
export interface EventRouterOptions {
  readonly buses: readonly EventBusPlan[];
  readonly targets: EventTargets;
  readonly clock: Clock;
  /** Called with an event that a target did not accept. EventBridge retries for a day, local mode does not retry. */
  readonly onLost: (event: JsonObject, targetArn: string, error: unknown) => Promise<void>;
  /** Where deliveries are reported. Defaults to nowhere. */
  readonly activity?: ActivitySink | undefined;
}

/** One event as a caller puts it on a bus. */
export interface PutEvent {
  readonly bus: string;
  readonly source: string;
  readonly detailType: string;
  readonly detail: JsonObject;
  readonly resources: readonly string[];
  /** Milliseconds since the Unix epoch; absent for now. */
  readonly timeMs: number | undefined;
}

interface CompiledRule {
  readonly arn: string;
  readonly matches: EventMatcher;
  readonly targets: readonly EventTargetPlan[];
}

interface RoutedEvent {
  readonly bus: string;
  readonly id: string;
  readonly event: JsonObject;
}

/** Event buses: delivers each event to the targets of every rule that it matches. */
export class EventRouter implements AsyncDisposable {
  readonly #options: EventRouterOptions;
  readonly #rules: ReadonlyMap<string, readonly CompiledRule[]>;
  readonly #underway = new Set<Promise<void>>();

  /** @throws AppError `TEMPLATE_INVALID` when a rule has a pattern that is not known here. */
  constructor(options: EventRouterOptions) {
    this.#options = options;
    this.#rules = new Map(
      options.buses.map(({ name, rules }) => [
        name,
        rules.map(({ arn, pattern, targets }) => ({ arn, matches: compilePattern(pattern), targets })),
      ]),
    );
  }

  /** Whether there is a bus with this name. */
  has(bus: string): boolean {
    return this.#rules.has(bus);
  }

  /**
   * Accepts an event. Its targets receive it after the caller has its response.
   *
   * @returns Id of the event.
   */
  put({ bus, source, detailType, detail, resources, timeMs }: PutEvent): string {
    const id = randomUUID();
    const event = describe({ id, detailType, source, resources, detail }, timeMs ?? this.#options.clock.now());
    for (const rule of this.#rules.get(bus) ?? []) {
      if (rule.matches(event)) for (const target of rule.targets) this.#send({ bus, id, event }, rule.arn, target);
    }
    return id;
  }

  /** Sends the event of a schedule to the targets of its rule. */
  sendScheduled({ arn, targets }: Pick<ScheduledRulePlan, 'arn' | 'targets'>): void {
    const id = randomUUID();
    const nowMs = this.#options.clock.now();
    const event = describe(
      { id, detailType: 'Scheduled Event', source: 'aws.events', resources: [arn], detail: {} },
      nowMs,
    );
    for (const target of targets) this.#send({ bus: DEFAULT_EVENT_BUS, id, event }, arn, target);
  }

  /** Whether events are on their way to targets. */
  get isBusy(): boolean {
    return this.#underway.size > 0;
  }

  /** Waits until every event that was put is with its targets. */
  async drain(): Promise<void> {
    while (this.#underway.size > 0) await Promise.all(this.#underway);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.drain();
  }

  #send(routed: RoutedEvent, ruleArn: string, target: EventTargetPlan): void {
    const delivery = this.#deliver(routed.event, ruleArn, target)
      .then(() => this.#report('event.delivered', routed, target))
      .catch((error: unknown) => {
        this.#report('event.lost', routed, target, error instanceof Error ? error.message : String(error));
        return this.#options.onLost(routed.event, target.arn, error);
      })
      .finally(() => this.#underway.delete(delivery));
    this.#underway.add(delivery);
  }

  #report(
    type: EventDelivered['type'],
    { bus, id, event }: RoutedEvent,
    { arn: targetArn }: EventTargetPlan,
    reason?: string,
  ): void {
    const detailType = String(event['detail-type']);
    (this.#options.activity ?? NO_ACTIVITY).publish({ type, bus, eventId: id, detailType, targetArn, reason });
  }

  async #deliver(event: JsonObject, ruleArn: string, target: EventTargetPlan): Promise<void> {
    const { targets } = this.#options;
    const { arn } = target;
    const body = bodyFor(target, event);
    const service = arn.split(':')[2];
    if (service === 'sqs') await targets.sendMessage(arn, body);
    else if (service === 'lambda') await targets.invoke(arn, body, ruleArn);
    else await targets.log(arn, body);
  }
}

/** The event as targets receive it. */
function describe(
  { id, detailType, source, resources, detail }: Omit<PutEvent, 'bus' | 'timeMs'> & { readonly id: string },
  timeMs: number,
): JsonObject {
  return {
    version: '0',
    id,
    'detail-type': detailType,
    source,
    account: LOCAL_ACCOUNT.accountId,
    time: new Date(timeMs).toISOString().replace(/\.\d+Z$/, 'Z'),
    region: LOCAL_ACCOUNT.region,
    resources,
    detail,
  };
}

function bodyFor({ input, inputPath, transformer }: EventTargetPlan, event: JsonObject): string {
  if (transformer !== undefined) return transformEvent(event, transformer);
  return input ?? JSON.stringify(inputPath === undefined ? event : (placeIn(event, inputPath) ?? null));
}
