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

/** The middle of some numbers, NaN when there are none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return low === undefined || high === undefined ? Number.NaN : (low + high) / 2;
}

/**
 * Milliseconds of processor time that one pass over the inputs took: unlike those of a clock, they do not count what
 * other programs did meanwhile.
 */
export async function timePass(session: Session, feeds: readonly Tensors[]): Promise<number> {
  const start = process.cpuUsage();
  for (const feed of feeds) await session.run(feed);
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}

/**
 * Times several models in turns, so that a machine that slows down slows them all.
 *
 * @param rounds - Passes over the inputs by each model, after one that is not counted.
 * @returns Median milliseconds of processor time of a pass, in the order of the models.
 */
export async function timeInTurns(
  sessions: readonly Session[],
  feeds: readonly Tensors[],
  rounds: number,
): Promise<number[]> {
  const times = sessions.map((): number[] => []);
  for (let round = -1; round < rounds; round++) {
    for (const [index, session] of sessions.entries()) {
      const took = await timePass(session, feeds);
      if (round >= 0) times[index]?.push(took);
    }
  }
  return times.map(median);
}
