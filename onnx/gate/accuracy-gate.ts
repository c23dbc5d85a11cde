import { createHash } from 'node:crypto';
import { AppError } from '../../core/errors.ts';
import { constantBytes } from '../format/inspect.ts';
import type { ModelProto } from '../format/onnx-messages.ts';
import { encodeModel } from '../format/proto.ts';
import { type Feeds, keepInMemory, readAll, spreadFeeds } from '../runtime/feeds.ts';
import { ProgressCounter } from '../runtime/progress.ts';
import { openSession, type Session, type Tensors } from '../runtime/session.ts';
import { isBatchInvariant } from './batch-invariance.ts';
import { choose, type Preference } from './choose.ts';
import { type Accuracy, accuracyOf, SAME_SPEED, type Speedup, speedupOf, timeInTurns } from './measure.ts';
import type { Metric } from './metrics.ts';
import { coverageOf, type QuantizedModel, writeCoverage } from './quantized-model.ts';

/** A way to quantize the model, to be tried. */
export interface Candidate {
  readonly scheme: string;
  /** Quantizes all but some nodes. */
  build(excludedNodes: ReadonlySet<string>): Promise<QuantizedModel>;
}

/** Requirements for a candidate, and the inputs that it is measured on. */
export interface GateOptions {
  /** Inputs that the candidates are compared on; at least one. Calibration should not have seen them. */
  readonly feeds: Feeds;
  readonly metric: Metric;
  /** Greatest errors that pass. */
  readonly limits: Accuracy;
  /** Factor by which a batch-invariant candidate may be slower and still win. 1 means that only speed counts. */
  readonly batchInvarianceWorth: number;
  /** The criterion that chooses among the candidates that pass. The default is `speed`. */
  readonly prefer?: Preference;
  /** Whether a candidate has to make the model smaller or faster, besides being accurate. Defaults to true. */
  readonly mustGain?: boolean;
  /** Timed passes of each model. Defaults to 9. */
  readonly rounds?: number;
  /** Measures the time of each model in each round. Defaults to {@link timeInTurns}. */
  readonly timeModels?: typeof timeInTurns;
  /** Bytes of the constants that a candidate has to save. Defaults to those of the model. */
  readonly originalBytes?: number;
  /** Counts the runs of models. Defaults to a counter without a reader. */
  readonly progress?: ProgressCounter | undefined;
}

/** A candidate as measured. */
export interface Trial extends Accuracy {
  readonly scheme: string;
  readonly quantized: QuantizedModel;
  /** Nodes left in floating point to pass, worst first. */
  readonly excluded: readonly string[];
  /** Size of the file in bytes. */
  readonly bytes: number;
  /** Bytes of its constants relative to those of the original. */
  readonly weightShare: number;
  /** Whether its errors are within the limits. */
  readonly passes: boolean;
  /** Undefined when the original does not run on batches of the inputs. */
  readonly batchInvariant: boolean | undefined;
  /** Speed relative to the original, single-threaded. */
  readonly speedup: Speedup;
  /** Scheme of an earlier trial with the same file. */
  readonly sameAs: string | undefined;
}

/** A candidate that could not be tried. */
export interface Failure {
  readonly scheme: string;
  readonly reason: string;
  /** The quantized model, with the nodes that stayed in floating point; undefined if it could not be built. */
  readonly quantized: QuantizedModel | undefined;
}

/** Result of the gate. */
export interface Verdict {
  readonly chosen: Trial;
  /** Every candidate measured, in the order of trial. */
  readonly trials: readonly Trial[];
  /** Every candidate that could not be measured. */
  readonly failures: readonly Failure[];
  /** Whether the original gives the same bits alone and in a batch; undefined when it does not run on batches. */
  readonly originalBatchInvariant: boolean | undefined;
}

/** Inputs that layers are ranked on: those that suffered most. */
const PROBES = 8;
/** Speed that leaving layers in floating point is taken to cost at the least. */
const REPAIR_COST = 1.1;
/** Inputs of one timed pass, at most. */
const TIMED_FEEDS = 8;
/** Processor time of one input of the original beyond which fewer inputs are timed. */
const LONG_RUN_MS = 60;
/** Inputs that batches are put together from. */
const BATCH_FEEDS = 32;
const ROUNDS = 9;
/** Bytes of results of the original that are kept in memory. */
const KEPT_BYTES = 256 * 2 ** 20;

interface Measured extends Omit<Trial, 'speedup'> {
  readonly session: Session;
  readonly digest: string;
  readonly errors: readonly number[];
}

/**
 * Tries candidates against the original model and picks the best that passes.
 *
 * When a candidate fails that would be better than what passed, or nothing passed, its worst layers are left in floating
 * point one by one until it passes. A candidate that cannot be built or run loses; it does not end the gate.
 *
 * @param model - The original, constants folded.
 * @param candidates - At least one; on equal terms the first wins.
 * @throws AppError `ACCURACY_GATE` when nothing passes, `NOT_QUANTIZED` when nothing could be quantized or nothing
 * that passes is worth its error.
 */
export async function runGate(
  model: ModelProto,
  candidates: readonly Candidate[],
  options: GateOptions,
): Promise<Verdict> {
  if (options.feeds.count === 0)
    throw new AppError('ACCURACY_GATE', 'the accuracy gate needs at least one input, got none');
  const gate = new Gate(options, await openSession(encodeModel(model)), constantBytes(model));
  try {
    return await gate.judge(candidates);
  } finally {
    await gate.release();
  }
}

class Gate {
  readonly #options: GateOptions;
  readonly #reference: Session;
  /** Results of the original. */
  readonly #references: Feeds;
  readonly #sessions: Session[];
  readonly #originalBytes: number;
  readonly #progress: ProgressCounter;
  readonly #failures: Failure[] = [];
  readonly #magnitudes = new Map<string, number>();
  #batchFeeds: readonly Tensors[] = [];
  #originalBatchInvariant: boolean | undefined;

  constructor(options: GateOptions, reference: Session, originalBytes: number) {
    this.#options = options;
    this.#reference = reference;
    const { feeds } = options;
    const run = async (index: number): Promise<Tensors> => reference.run(await feeds.read(index));
    this.#references = keepInMemory({ count: feeds.count, read: run }, KEPT_BYTES);
    this.#sessions = [reference];
    this.#originalBytes = options.originalBytes ?? originalBytes;
    this.#progress = options.progress ?? new ProgressCounter();
  }

  async release(): Promise<void> {
    for (const session of this.#sessions) await session.release();
  }

  async judge(candidates: readonly Candidate[]): Promise<Verdict> {
    // The runs of all models, and the rounds of the clock as if they were a run.
    this.#progress.expect(this.#options.feeds.count * (candidates.length + 1) + 1);
    await this.#runOriginal();
    const measured: Measured[] = [];
    for (const candidate of candidates) {
      const result = await this.#attempt(candidate, measured);
      if (result !== undefined) measured.push(result);
    }
    const trials = await this.#time(measured);
    await this.#repairBest(candidates, trials, measured);
    const chosen = this.#choose(trials);
    if (chosen === undefined) throw this.#explain(trials);
    return { chosen, trials, failures: this.#failures, originalBatchInvariant: this.#originalBatchInvariant };
  }

  async #runOriginal(): Promise<void> {
    const { feeds, metric } = this.#options;
    for (let index = 0; index < feeds.count; index++) {
      this.#progress.begin('original');
      for (const [name, output] of Object.entries(await this.#runOriginalOn(index))) {
        if (output.datatype === 'BYTES') continue;
        this.#magnitudes.set(name, Math.max(this.#magnitudes.get(name) ?? 0, metric.magnitude(output)));
      }
    }
    this.#batchFeeds = await readAll(spreadFeeds(feeds, BATCH_FEEDS));
    try {
      this.#originalBatchInvariant = await isBatchInvariant(this.#reference, this.#batchFeeds);
    } catch (error) {
      // The original takes no batches: its first dimension is fixed, or its graph relies on it.
      if (!(error instanceof AppError)) throw error;
    }
  }

  /** The inputs fit the declaration of the model; what its graph refuses is still a fault of theirs. */
  async #runOriginalOn(index: number): Promise<Tensors> {
    try {
      return await this.#references.read(index);
    } catch (cause) {
      if (!(cause instanceof AppError) || cause.code !== 'ONNX_INVALID') throw cause;
      throw new AppError('INVALID_PARAMETER', `the model does not run on its inputs: ${cause.message}`, {
        param: 'inputs',
        cause,
      });
    }
  }

  /** Measures a candidate; undefined if it loses because it cannot be built or run, or quantizes nothing. */
  async #attempt(candidate: Candidate, earlier: readonly Measured[]): Promise<Measured | undefined> {
    const { scheme } = candidate;
    let quantized: QuantizedModel | undefined;
    try {
      quantized = await candidate.build(new Set());
      if (quantized.layers.length > 0) return await this.#measure(scheme, quantized, [], earlier);
      this.#failures.push({ scheme, reason: reasonForNothing(quantized), quantized });
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      this.#failures.push({ scheme, reason: error.message, quantized });
    }
    return undefined;
  }

  async #measure(
    scheme: string,
    quantized: QuantizedModel,
    excluded: readonly string[],
    earlier: readonly Measured[] = [],
  ): Promise<Measured> {
    const { limits } = this.#options;
    const encoded = encodeModel(quantized.model);
    const digest = createHash('sha256').update(encoded).digest('hex');
    const same = earlier.find((other) => other.digest === digest);
    if (same !== undefined) return { ...same, scheme, sameAs: same.sameAs ?? same.scheme };
    const session = await openSession(encoded);
    this.#sessions.push(session);
    const errors = await this.#errorsOf(session, this.#options.feeds, scheme);
    const accuracy = accuracyOf(errors);
    return {
      ...accuracy,
      scheme,
      quantized,
      excluded,
      bytes: encoded.length,
      weightShare: constantBytes(quantized.model) / Math.max(this.#originalBytes, 1),
      passes: accuracy.meanError <= limits.meanError && accuracy.worstError <= limits.worstError,
      batchInvariant:
        this.#originalBatchInvariant === undefined ? undefined : await isBatchInvariant(session, this.#batchFeeds),
      sameAs: undefined,
      session,
      digest,
      errors,
    };
  }

  async #errorsOf(session: Session, feeds: Feeds, step: string): Promise<number[]> {
    const errors: number[] = [];
    for (let index = 0; index < feeds.count; index++) {
      this.#progress.begin(`${step}: accuracy`);
      const answer = await session.run(await feeds.read(index));
      errors.push(this.#options.metric.error(await this.#references.read(index), answer, this.#magnitudes));
    }
    return errors;
  }

  async #time(measured: readonly Measured[]): Promise<Trial[]> {
    const { rounds = ROUNDS, timeModels = timeInTurns } = this.#options;
    const distinct = measured.filter(({ sameAs }) => sameAs === undefined);
    const feeds = await this.#timedFeeds();
    const sessions = [this.#reference, ...distinct.map(({ session }) => session)];
    this.#progress.begin('speed');
    const [reference = [], ...times] = await timeModels(sessions, feeds, rounds);
    const speeds = new Map(distinct.map(({ digest }, index) => [digest, speedupOf(reference, times[index] ?? [])]));
    return measured.map(({ session: _, errors: __, digest, ...trial }) => ({
      ...trial,
      speedup: speeds.get(digest) ?? SAME_SPEED,
    }));
  }

  /** Inputs of one timed pass: fewer if the model takes long. */
  async #timedFeeds(): Promise<readonly Tensors[]> {
    const [first] = await readAll(spreadFeeds(this.#options.feeds, 1));
    const start = process.cpuUsage();
    await this.#reference.run(first ?? {});
    const { user, system } = process.cpuUsage(start);
    const runMs = (user + system) / 1000;
    const count = Math.max(1, Math.min(TIMED_FEEDS, Math.round((TIMED_FEEDS * LONG_RUN_MS) / runMs)));
    return readAll(spreadFeeds(this.#options.feeds, count));
  }

  #choose(trials: readonly Trial[]): Trial | undefined {
    const { prefer = 'speed', batchInvarianceWorth, mustGain = true } = this.#options;
    return choose(
      trials.filter(({ passes }) => passes),
      { prefer, batchInvarianceWorth, mustGain },
    );
  }

  /** Repairs failed candidates that would win if they passed, until one does or none is left. */
  async #repairBest(candidates: readonly Candidate[], trials: Trial[], measured: readonly Measured[]): Promise<void> {
    const hopeless = new Set<Trial>();
    for (;;) {
      const failed = this.#worthRepairing(trials.filter((trial) => !hopeless.has(trial)));
      const candidate = candidates.find(({ scheme }) => scheme === failed?.scheme);
      const errors = measured.find(({ scheme }) => scheme === failed?.scheme)?.errors;
      if (failed === undefined || candidate === undefined || errors === undefined) return;
      const repaired = await this.#repair(candidate, errors);
      if (repaired !== undefined) {
        trials.push(...(await this.#time([repaired])));
        return;
      }
      hopeless.add(failed);
      if (trials.some(({ passes }) => passes)) return;
    }
  }

  /** The failed candidate that would win if it passed. */
  #worthRepairing(trials: readonly Trial[]): Trial | undefined {
    const slowed = ({ ratio, low, high }: Speedup): Speedup => ({
      ratio: ratio / REPAIR_COST,
      low: low / REPAIR_COST,
      high: high / REPAIR_COST,
    });
    const hopes = new Map(
      trials.map((trial) => [trial.passes ? trial : { ...trial, passes: true, speedup: slowed(trial.speedup) }, trial]),
    );
    const best = this.#choose([...hopes.keys()]);
    const trial = best && hopes.get(best);
    return trial === undefined || trial.passes ? undefined : trial;
  }

  /** Leaves layers in floating point, worst first, until the candidate passes; undefined when it never does. */
  async #repair(candidate: Candidate, errors: readonly number[]): Promise<Measured | undefined> {
    const ranked = await this.#rankLayers(candidate, errors);
    for (let count = 1; count < ranked.length; count++) {
      const excluded = ranked.slice(0, count);
      const quantized = withReason(await candidate.build(new Set(excluded)), excluded);
      if (quantized.layers.length === 0) return undefined;
      this.#progress.expect(this.#options.feeds.count);
      const measured = await this.#measure(candidate.scheme, quantized, excluded);
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
    const { layers } = await candidate.build(new Set());
    this.#progress.expect(layers.length);
    const ranked: { readonly node: string; readonly harm: number }[] = [];
    for (const { node, weightElements } of layers) {
      this.#progress.begin(`${candidate.scheme}: layer ${ranked.length + 1} of ${layers.length}`);
      const others = layers.filter((layer) => layer.node !== node).map((layer) => layer.node);
      ranked.push({
        node,
        harm: (await this.#errorOf(await candidate.build(new Set(others)), probes)) / weightElements,
      });
    }
    return ranked.sort((a, b) => b.harm - a.harm).map(({ node }) => node);
  }

  async #errorOf({ model }: QuantizedModel, probes: readonly number[]): Promise<number> {
    const { feeds, metric } = this.#options;
    const session = await openSession(encodeModel(model));
    try {
      const errors: number[] = [];
      for (const index of probes) {
        const answer = await session.run(await feeds.read(index));
        errors.push(metric.error(await this.#references.read(index), answer, this.#magnitudes));
      }
      return accuracyOf(errors).meanError;
    } finally {
      await session.release();
    }
  }

  /** The error that says why nothing was chosen. */
  #explain(trials: readonly Trial[]): AppError {
    const passing = trials.filter(({ passes }) => passes);
    if (passing.length > 0) {
      const shares = passing.map(
        ({ scheme, weightShare, speedup }) =>
          `${scheme} has ${(weightShare * 100).toFixed(1)} % of the weights' bytes and ${speedup.ratio.toFixed(2)}x the speed`,
      );
      const smaller = choose(passing, { prefer: 'size', batchInvarianceWorth: 1, mustGain: true });
      const advice = smaller === undefined ? '' : `; --prefer size takes ${smaller.scheme}`;
      return new AppError('NOT_QUANTIZED', `no scheme is worth its error: ${shares.join(', ')}${advice}`);
    }
    const failures = [...Map.groupBy(this.#failures, ({ reason }) => reason)].map(
      ([reason, group]) => `${group.map(({ scheme }) => scheme).join(', ')}: ${reason}`,
    );
    if (trials.length === 0) return new AppError('NOT_QUANTIZED', `no scheme can be used: ${failures.join('; ')}`);
    return new AppError('ACCURACY_GATE', [describeFailure(trials, this.#options), ...failures].join('; '));
  }
}

function describeFailure(trials: readonly Trial[], { metric, limits }: GateOptions): string {
  const errors = trials.map(({ scheme, meanError, worstError, quantized }) => {
    const counts = coverageOf(quantized).flatMap((each) =>
      each.quantized === 0 ? [] : `${each.quantized} ${each.opType}`,
    );
    return `${scheme} ${meanError.toPrecision(3)} (worst ${worstError.toPrecision(3)}) with ${counts.join(' and ')}`;
  });
  const allowed = `${limits.meanError.toPrecision(3)} (worst ${limits.worstError.toPrecision(3)})`;
  return `no scheme keeps ${metric.name} within ${allowed}, got ${errors.join(', ')}`;
}

/** Distinguishes nodes that the gate left in floating point from those that were excluded from the start. */
function withReason(quantized: QuantizedModel, excluded: readonly string[]): QuantizedModel {
  const left = quantized.left.map((layer) =>
    excluded.includes(layer.node) ? { ...layer, reason: 'too inaccurate' } : layer,
  );
  return { ...quantized, left };
}

/** Returns the reason why nothing of a model was quantized, such as `0 of 64 Conv quantized: not supported`. */
export function reasonForNothing(quantized: QuantizedModel): string {
  const coverage = coverageOf(quantized);
  if (coverage.length === 0) return 'no node multiplies by a constant weight or looks rows up in one';
  return coverage.map(writeCoverage).join(', ');
}
