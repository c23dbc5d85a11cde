import { AppError } from '../../core/errors.ts';
import type { ModelProto } from '../format/onnx-messages.ts';
import { encodeModel } from '../format/proto.ts';
import { openSession, type Session, type Tensors } from '../runtime/session.ts';
import { isBatchInvariant } from './batch-invariance.ts';
import { type Accuracy, accuracyOf, answersOf, errorsOf, timeInTurns } from './measure.ts';
import type { Metric } from './metrics.ts';
import type { QuantizedModel } from './quantized-model.ts';

/** A way to quantize the model, to be tried. */
export interface Candidate {
  readonly scheme: string;
  /** Quantizes all but some nodes. */
  build(excludedNodes: ReadonlySet<string>): QuantizedModel;
}

/** Requirements for a candidate, and the inputs that it is measured on. */
export interface GateOptions {
  /** Inputs that the candidates are compared on; at least one. Calibration should not have seen them. */
  readonly feeds: readonly Tensors[];
  readonly metric: Metric;
  /** Greatest errors that pass. */
  readonly limits: Accuracy;
  /** Factor by which a batch-invariant candidate may be slower and still win. 1 means that only speed counts. */
  readonly batchInvarianceWorth: number;
  /** Timed passes of each model. Defaults to 5. */
  readonly rounds?: number;
}

/** A candidate as measured. */
export interface Trial extends Accuracy {
  readonly scheme: string;
  readonly quantized: QuantizedModel;
  /** Nodes left in floating point to pass, worst first. */
  readonly excluded: readonly string[];
  /** Size of the file in bytes. */
  readonly bytes: number;
  readonly passes: boolean;
  /** Undefined when the inputs do not stack into a batch. */
  readonly batchInvariant: boolean | undefined;
  /** Speed relative to the original, single-threaded. */
  readonly speedup: number;
}

/** Result of the gate. */
export interface Verdict {
  readonly chosen: Trial;
  /** Every candidate tried, in the order of trial. */
  readonly trials: readonly Trial[];
}

/** Inputs that layers are ranked on: those that suffered most. */
const PROBES = 8;
/** Speed that leaving layers in floating point is taken to cost at the least. */
const REPAIR_COST = 1.1;
/** Inputs of one timed pass. */
const TIMED_FEEDS = 8;

type Measured = Omit<Trial, 'speedup'> & { readonly session: Session; readonly errors: readonly number[] };

/**
 * Tries candidates against the original model and picks the fastest that passes.
 *
 * When a candidate fails that is faster than what passed, or nothing passed, its worst layers are left in floating
 * point one by one until it passes.
 *
 * @param model - The original, constants folded.
 * @param candidates - At least one; on equal terms the first wins.
 * @throws AppError `ACCURACY_GATE` when nothing passes.
 */
export async function runGate(
  model: ModelProto,
  candidates: readonly Candidate[],
  options: GateOptions,
): Promise<Verdict> {
  if (options.feeds.length === 0)
    throw new AppError('ACCURACY_GATE', 'the accuracy gate needs at least one input, got none');
  const gate = new Gate(options, await openSession(encodeModel(model)));
  try {
    return await gate.judge(candidates);
  } finally {
    await gate.release();
  }
}

class Gate {
  readonly #options: GateOptions;
  readonly #reference: Session;
  readonly #sessions: Session[];
  #answers: readonly Tensors[] = [];

  constructor(options: GateOptions, reference: Session) {
    this.#options = options;
    this.#reference = reference;
    this.#sessions = [reference];
  }

  async release(): Promise<void> {
    for (const session of this.#sessions) await session.release();
  }

  async judge(candidates: readonly Candidate[]): Promise<Verdict> {
    this.#answers = await answersOf(this.#reference, this.#options.feeds);
    const measured: Measured[] = [];
    for (const candidate of candidates) measured.push(await this.#measure(candidate, []));
    const trials = await this.#time(measured);
    const failed = this.#worthRepairing(trials);
    const candidate = candidates.find(({ scheme }) => scheme === failed?.scheme);
    const errors = measured.find(({ scheme }) => scheme === failed?.scheme)?.errors;
    if (candidate !== undefined && errors !== undefined) {
      const repaired = await this.#repair(candidate, errors);
      if (repaired !== undefined) trials.push(...(await this.#time([repaired])));
    }
    const chosen = this.#choose(trials);
    if (chosen === undefined) throw new AppError('ACCURACY_GATE', describeFailure(trials, this.#options));
    return { chosen, trials };
  }

  async #measure(candidate: Candidate, excluded: readonly string[]): Promise<Measured> {
    const { feeds, metric, limits } = this.#options;
    const quantized = candidate.build(new Set(excluded));
    const encoded = encodeModel(quantized.model);
    const session = await openSession(encoded);
    this.#sessions.push(session);
    const errors = errorsOf(metric, this.#answers, await answersOf(session, feeds));
    const accuracy = accuracyOf(errors);
    return {
      ...accuracy,
      scheme: candidate.scheme,
      quantized,
      excluded,
      bytes: encoded.length,
      passes: accuracy.meanError <= limits.meanError && accuracy.worstError <= limits.worstError,
      batchInvariant: await isBatchInvariant(session, feeds),
      session,
      errors,
    };
  }

  async #time(measured: readonly Measured[]): Promise<Trial[]> {
    const { feeds, rounds = 5 } = this.#options;
    const sessions = [this.#reference, ...measured.map(({ session }) => session)];
    const [reference = Number.NaN, ...times] = await timeInTurns(sessions, spread(feeds, TIMED_FEEDS), rounds);
    return measured.map(({ session: _, errors: __, ...trial }, index) => ({
      ...trial,
      speedup: reference / (times[index] ?? Number.NaN),
    }));
  }

  #choose(trials: readonly Trial[]): Trial | undefined {
    const passing = trials.filter(({ passes }) => passes);
    const fastest = fastestOf(passing);
    if (fastest === undefined) return undefined;
    const slowest = fastest.speedup / this.#options.batchInvarianceWorth;
    return fastestOf(passing.filter(({ batchInvariant, speedup }) => batchInvariant && speedup >= slowest)) ?? fastest;
  }

  /** The failed candidate that would win if it passed. */
  #worthRepairing(trials: readonly Trial[]): Trial | undefined {
    const chosen = this.#choose(trials);
    const wins = trials.filter((trial) => !trial.passes && this.#beats(trial, chosen));
    return fastestOf(wins.filter(({ batchInvariant }) => batchInvariant)) ?? fastestOf(wins);
  }

  #beats(trial: Trial, chosen: Trial | undefined): boolean {
    if (chosen === undefined) return true;
    const slowed = { ...trial, passes: true, speedup: trial.speedup / REPAIR_COST };
    return this.#choose([chosen, slowed]) === slowed;
  }

  /** Leaves layers in floating point, worst first, until the candidate passes; undefined when it never does. */
  async #repair(candidate: Candidate, errors: readonly number[]): Promise<Measured | undefined> {
    const ranked = await this.#rankLayers(candidate, errors);
    for (let count = 1; count < ranked.length; count++) {
      const measured = await this.#measure(candidate, ranked.slice(0, count));
      if (measured.passes) return measured;
      await measured.session.release();
      this.#sessions.pop();
    }
    return undefined;
  }

  /** Layers by the error that each brings when it alone is quantized, per element of its weight. */
  async #rankLayers(candidate: Candidate, errors: readonly number[]): Promise<string[]> {
    const worst = errors.map((error, index) => ({ error, index })).sort((a, b) => b.error - a.error);
    const probes = worst.slice(0, PROBES).map(({ index }) => index);
    const { layers } = candidate.build(new Set());
    const ranked: { readonly node: string; readonly harm: number }[] = [];
    for (const { node, weightElements } of layers) {
      const others = layers.filter((layer) => layer.node !== node).map((layer) => layer.node);
      ranked.push({ node, harm: (await this.#errorOf(candidate.build(new Set(others)), probes)) / weightElements });
    }
    return ranked.sort((a, b) => b.harm - a.harm).map(({ node }) => node);
  }

  async #errorOf({ model }: QuantizedModel, probes: readonly number[]): Promise<number> {
    const { feeds, metric } = this.#options;
    const session = await openSession(encodeModel(model));
    try {
      const answers = await answersOf(session, pick(feeds, probes));
      return accuracyOf(errorsOf(metric, pick(this.#answers, probes), answers)).meanError;
    } finally {
      await session.release();
    }
  }
}

function pick<T>(items: readonly T[], indices: readonly number[]): T[] {
  return indices.flatMap((index) => items[index] ?? []);
}

/** Up to `count` items, evenly spread over the list. */
function spread<T>(items: readonly T[], count: number): readonly T[] {
  if (items.length <= count) return items;
  return pick(
    items,
    Array.from({ length: count }, (_, index) => Math.floor((index * items.length) / count)),
  );
}

function fastestOf(trials: readonly Trial[]): Trial | undefined {
  return trials.reduce<Trial | undefined>(
    (best, trial) => (best && best.speedup >= trial.speedup ? best : trial),
    undefined,
  );
}

function describeFailure(trials: readonly Trial[], { metric, limits }: GateOptions): string {
  const errors = trials.map(
    ({ scheme, meanError, worstError }) => `${scheme} ${meanError.toPrecision(3)} (worst ${worstError.toPrecision(3)})`,
  );
  const allowed = `${limits.meanError.toPrecision(3)} (worst ${limits.worstError.toPrecision(3)})`;
  return `no scheme keeps ${metric.name} within ${allowed}, got ${errors.join(', ')}`;
}
