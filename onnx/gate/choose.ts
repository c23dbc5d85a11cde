import { isSurelyFaster, SAME_SPEED, type Speedup } from './measure.ts';

/** The criterion that chooses among candidates that are accurate enough; the others break ties. */
export type Preference = 'speed' | 'size' | 'accuracy';

/** Preferences in the order in which they apply, by the first. */
const ORDER: Readonly<Record<Preference, readonly Preference[]>> = {
  speed: ['speed', 'size', 'accuracy'],
  size: ['size', 'speed', 'accuracy'],
  accuracy: ['accuracy', 'size', 'speed'],
};

/** Share of the weights' bytes of the original at which a candidate counts as smaller. */
const SMALLER = 0.95;

/** Speed below which a smaller candidate has no advantage if speed is preferred. */
const TOO_SLOW = 0.5;

/** Sizes that differ by less than this share count as equal. */
const SAME_SIZE = 0.01;

/** The criteria of a choice. */
export interface Criteria {
  /** The first criterion. */
  readonly prefer: Preference;
  /** Factor by which a batch-invariant candidate may be slower than the fastest. */
  readonly batchInvarianceWorth: number;
  /** Whether candidates drop out that gain nothing. */
  readonly mustGain: boolean;
}

/** The properties of a candidate that a choice depends on. */
export interface Choosable {
  readonly speedup: Speedup;
  /** Size of the file. */
  readonly bytes: number;
  /** Bytes of its constants relative to those of the original. */
  readonly weightShare: number;
  readonly meanError: number;
  /** Undefined when it is not known. */
  readonly batchInvariant: boolean | undefined;
}

/**
 * Picks one of several candidates that are accurate enough.
 *
 * Candidates that are neither smaller nor surely faster than the original are not worth their error and drop out, as do
 * those that surely take twice its time where speed is preferred. Differences of speed that noise may explain count as none;
 * then the size decides.
 *
 * @param trials - On equal terms the first wins.
 * @returns Undefined when none gains anything.
 */
export function choose<T extends Choosable>(
  trials: readonly T[],
  { prefer, batchInvarianceWorth, mustGain }: Criteria,
): T | undefined {
  const gaining = mustGain ? trials.filter((trial) => gains(trial, prefer)) : trials;
  const filters = {
    speed: (pool: readonly T[]) => fastest(pool, batchInvarianceWorth),
    size: smallest<T>,
    accuracy: mostAccurate<T>,
  };
  let pool: readonly T[] = gaining;
  for (const preference of ORDER[prefer]) pool = filters[preference](pool);
  return pool[0];
}

/** Returns whether a candidate is worth its error. */
function gains({ weightShare, speedup }: Choosable, prefer: Preference): boolean {
  const isTooSlow = prefer === 'speed' && speedup.high < TOO_SLOW;
  return isSurelyFaster(speedup, SAME_SPEED) || (weightShare <= SMALLER && !isTooSlow);
}

/** Candidates that are not surely slower than the fastest, batch-invariant ones if they are not too slow. */
function fastest<T extends Choosable>(pool: readonly T[], batchInvarianceWorth: number): readonly T[] {
  const invariant = batchInvarianceWorth > 1 ? pool.filter(({ batchInvariant }) => batchInvariant === true) : [];
  const top = greatestSpeed(pool);
  const worthwhile = invariant.filter(({ speedup }) => speedup.ratio * batchInvarianceWorth >= top);
  const contenders = worthwhile.length > 0 ? worthwhile : pool;
  const leader = contenders.find(({ speedup }) => speedup.ratio === greatestSpeed(contenders));
  return leader === undefined ? [] : contenders.filter(({ speedup }) => !isSurelyFaster(leader.speedup, speedup));
}

function greatestSpeed(pool: readonly Choosable[]): number {
  return Math.max(0, ...pool.map(({ speedup }) => speedup.ratio));
}

function smallest<T extends Choosable>(pool: readonly T[]): readonly T[] {
  const least = Math.min(...pool.map(({ bytes }) => bytes));
  return pool.filter(({ bytes }) => bytes <= least * (1 + SAME_SIZE));
}

function mostAccurate<T extends Choosable>(pool: readonly T[]): readonly T[] {
  const least = Math.min(...pool.map(({ meanError }) => meanError));
  return pool.filter(({ meanError }) => meanError === least);
}
