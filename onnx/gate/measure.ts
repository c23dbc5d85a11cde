import type { Session, Tensors } from '../runtime/session.ts';
import type { Metric } from './metrics.ts';

/** Error of a model relative to the original over some inputs. */
export interface Accuracy {
  readonly meanError: number;
  readonly worstError: number;
}

/** Answers of a model to each input, in order. */
export async function answersOf(session: Session, feeds: readonly Tensors[]): Promise<Tensors[]> {
  const answers: Tensors[] = [];
  for (const feed of feeds) answers.push(await session.run(feed));
  return answers;
}

/** Summarizes errors; both figures are zero when there are none. */
export function accuracyOf(errors: readonly number[]): Accuracy {
  const sum = errors.reduce((total, error) => total + error, 0);
  return { meanError: errors.length === 0 ? 0 : sum / errors.length, worstError: Math.max(0, ...errors) };
}

/** Measures the error of each result, in order. */
export function errorsOf(metric: Metric, references: readonly Tensors[], answers: readonly Tensors[]): number[] {
  return references.map((reference, index) => metric.error(reference, answers[index] ?? {}));
}

/** Returns the middle of some numbers, NaN when there are none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return low === undefined || high === undefined ? Number.NaN : (low + high) / 2;
}

/**
 * Milliseconds of processor time that one pass over the inputs took: unlike those of a clock, they do not count what
 * other programs did meanwhile.
 *
 * @param repeats - How often the inputs are run. Defaults to once.
 */
export async function timePass(session: Session, feeds: readonly Tensors[], repeats = 1): Promise<number> {
  const start = process.cpuUsage();
  for (let repeat = 0; repeat < repeats; repeat++) for (const feed of feeds) await session.run(feed);
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}

/** Least processor time of a timed pass: shorter ones measure the clock rather than the model. */
const MIN_PASS_MS = 20;

/** Maximum number of repeats of a pass, for models that take almost no time. */
const MAX_REPEATS = 64;

/**
 * Times several models in turns, so that a machine that slows down slows them all. The order is reversed from round to
 * round, so that none always runs after the same other.
 *
 * @param rounds - Passes over the inputs by each model, after one that is not counted.
 * @returns Milliseconds of processor time of each pass, in the order of the models.
 */
export async function timeInTurns(
  sessions: readonly Session[],
  feeds: readonly Tensors[],
  rounds: number,
): Promise<number[][]> {
  const times = sessions.map((): number[] => []);
  let quickest = Number.POSITIVE_INFINITY;
  for (const session of sessions) quickest = Math.min(quickest, await timePass(session, feeds));
  const repeats = Math.min(Math.max(Math.ceil(MIN_PASS_MS / quickest), 1), MAX_REPEATS);
  for (let round = 0; round < rounds; round++) {
    const turns = [...sessions.entries()];
    for (const [index, session] of round % 2 === 0 ? turns : turns.toReversed()) {
      times[index]?.push(await timePass(session, feeds, repeats));
    }
  }
  return times;
}

/** How much faster a model is than the original, and how sure that is. */
export interface Speedup {
  /** Median over the rounds. */
  readonly ratio: number;
  /** The median lies between these with a confidence of about 95 %. */
  readonly low: number;
  readonly high: number;
}

/** A model that is as fast as the original, such as the original itself. */
export const SAME_SPEED: Speedup = { ratio: 1, low: 1, high: 1 };

/**
 * Returns the speed relative to the original, round by round.
 *
 * @param reference - Times of the original.
 * @param times - Times of the model in the same rounds.
 * @see Conover, "Practical Nonparametric Statistics", chapter 3: confidence intervals of quantiles by order statistics.
 */
export function speedupOf(reference: readonly number[], times: readonly number[]): Speedup {
  const ratios = times.map((time, round) => (reference[round] ?? Number.NaN) / time).sort((a, b) => a - b);
  const cut = Math.max(0, Math.floor((ratios.length - 1.96 * Math.sqrt(ratios.length)) / 2));
  return {
    ratio: median(ratios),
    low: ratios[cut] ?? Number.NaN,
    high: ratios[ratios.length - 1 - cut] ?? Number.NaN,
  };
}

/** Least factor of speed that counts. */
const NOTICEABLE = 1.05;

/** Returns whether one model is noticeably faster than another, beyond what noise explains. */
export function isSurelyFaster(a: Speedup, b: Speedup): boolean {
  return a.low > b.high && a.ratio >= b.ratio * NOTICEABLE;
}
