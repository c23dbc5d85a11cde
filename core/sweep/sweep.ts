import type { DueKind, DueRecord, Observation } from './due.ts';

/** The action of a sweep on a record, in one word for reports. */
export type SweepAction = 'failed' | 'notified' | 'resent' | 'ended' | 'deleted';

/** The result of looking at one due record. */
export interface SweepResult {
  /** The action. Absent if the record only waits. */
  readonly action?: SweepAction;
  /** When to look again, milliseconds since the Unix epoch; undefined takes the record off the index. */
  readonly nextAtMs: number | undefined;
  /** The observation, for the next sweep. If absent, the previous observation is removed. */
  readonly observation?: Observation;
  /** Why the record could not be settled now. */
  readonly error?: unknown;
}

/** Looks at one due record of a kind, and settles it if nothing else will. Every write of it must be conditional. */
export type Sweeper = (due: DueRecord) => Promise<SweepResult>;

/** A record that a sweep settled. */
export interface SettledRecord {
  readonly kind: DueKind;
  readonly owner: string;
  readonly id: string;
  readonly action: SweepAction;
}

/** The report of a sweep: the response of the function. */
export interface SweepReport {
  /** Number of due records that were looked at. */
  readonly looked: number;
  /** Number of settled records by kind and action, as `job failed`. */
  readonly settled: Readonly<Record<string, number>>;
  /** The settled records, {@link MAX_SETTLED_SHOWN} at most. */
  readonly records: readonly SettledRecord[];
  /** Number of records that could not be looked at. The next sweep tries again. */
  readonly failures: number;
  /** Whether every due record was looked at. If not, the next sweep does the rest. */
  readonly isComplete: boolean;
}

/** Maximum number of settled records that a report names. */
export const MAX_SETTLED_SHOWN = 100;

/** The index of due records. */
export interface DueStore {
  /** Lists the due records of every shard. */
  list(nowMs: number): AsyncIterable<DueRecord>;
  /** Reads the observation of a record by the last sweep. */
  observationOf(due: DueRecord): Promise<Observation | undefined>;
  /**
   * Applies the result of a look, unless the record has another due time by now.
   *
   * @param result - Its `nextAtMs` and `observation` are stored.
   */
  apply(due: DueRecord, result: SweepResult): Promise<void>;
}
