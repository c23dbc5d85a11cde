import type { Context } from 'aws-lambda';
import type { Clock } from '../../core/clock.ts';
import type { DueKind, DueRecord } from '../../core/sweep/due.ts';
import {
  type DueStore,
  MAX_SETTLED_SHOWN,
  type SettledRecord,
  type Sweeper,
  type SweepReport,
} from '../../core/sweep/sweep.ts';
import { describeError, errorCodeOf } from '../shared/telemetry/describe-error.ts';
import { type LogSettings, logTarget, writeLogLine } from '../shared/telemetry/log-line.ts';

/** Records that are looked at concurrently. */
const CONCURRENCY = 10;

/** Time that is left for the records under way when the function stops to look at more. */
const MARGIN_MS = 30_000;

/** Dependencies of the function. */
export interface SweepDeps extends LogSettings {
  readonly due: DueStore;
  /** Creates the sweepers of one sweep, by the kind of record. */
  readonly openSweepers: () => Readonly<Record<DueKind, Sweeper>>;
  readonly clock: Clock;
}

/** The handler: a schedule, or the command `tensorgate jobs sweep`, invokes it with any event. */
export type SweepHandler = (event: unknown, context: Pick<Context, 'getRemainingTimeInMillis'>) => Promise<SweepReport>;

/**
 * Creates the handler: it looks at every record that is due, and settles those that nothing else will settle. Sweeps may
 * overlap, because every write of a sweeper is conditional.
 *
 * @throws AppError `UNAVAILABLE` if the due records cannot be listed.
 */
export function createHandler(deps: SweepDeps): SweepHandler {
  return async (_, context) => {
    const sweep = new Sweep(deps);
    const hasTime = () => context.getRemainingTimeInMillis() > MARGIN_MS;
    const isComplete = await forEachGroup(deps.due.list(deps.clock.now()), hasTime, (due) => sweep.look(due));
    return sweep.report(isComplete);
  };
}

class Sweep {
  readonly #deps: SweepDeps;
  readonly #sweepers: Readonly<Record<DueKind, Sweeper>>;
  readonly #settled: SettledRecord[] = [];
  #looked = 0;
  #failures = 0;

  constructor(deps: SweepDeps) {
    this.#deps = deps;
    this.#sweepers = deps.openSweepers();
  }

  async look(due: DueRecord): Promise<void> {
    this.#looked++;
    try {
      const result = await this.#sweepers[due.kind](due);
      if (result.action !== undefined) this.#settled.push(named(due, result.action));
      if (result.error !== undefined) this.#fail(due, result.error);
      await this.#deps.due.apply(due, result);
    } catch (error) {
      this.#fail(due, error);
      // The record moves behind those that were not looked at yet. If that fails too, it stays due.
      await this.#deps.due.apply(due, { nextAtMs: this.#deps.clock.now() }).catch(() => undefined);
    }
  }

  /** Counts the actions. A sweep that found nothing due writes no line. */
  report(isComplete: boolean): SweepReport {
    const groups = Map.groupBy(this.#settled, ({ kind, action }) => `${kind} ${action}`);
    const settled = Object.fromEntries([...groups].map(([name, records]) => [name, records.length]));
    const counts = { looked: this.#looked, settled, failures: this.#failures, isComplete };
    if (this.#looked > 0) this.#log('INFO', counts);
    return { ...counts, records: this.#settled.slice(0, MAX_SETTLED_SHOWN) };
  }

  #fail({ kind, id }: DueRecord, error: unknown): void {
    this.#failures++;
    this.#log('WARN', { kind, id, code: errorCodeOf(error), error: describeError(error) });
  }

  #log(level: 'INFO' | 'WARN', members: Readonly<Record<string, unknown>>): void {
    writeLogLine(logTarget(this.#deps, this.#deps.clock), { level, message: 'sweep', members });
  }
}

function named({ kind, owner, id }: DueRecord, action: SettledRecord['action']): SettledRecord {
  return { kind, owner, id, action };
}

/** @returns Whether there was time for every item. */
async function forEachGroup<T>(
  items: AsyncIterable<T>,
  hasTime: () => boolean,
  work: (item: T) => Promise<void>,
): Promise<boolean> {
  let group: Promise<void>[] = [];
  for await (const item of items) {
    if (!hasTime()) {
      await Promise.all(group);
      return false;
    }
    group.push(work(item));
    if (group.length < CONCURRENCY) continue;
    await Promise.all(group);
    group = [];
  }
  await Promise.all(group);
  return true;
}
