import { InferenceSession } from 'onnxruntime-node';

type Run = (feeds: InferenceSession.FeedsType) => Promise<InferenceSession.OnnxValueMapType>;

/** One call of `session.run`. */
export interface SessionRun {
  readonly session: InferenceSession;
  readonly feeds: InferenceSession.FeedsType;
  readonly results: InferenceSession.OnnxValueMapType;
  readonly durationMs: number;
}

/**
 * Watches every call of `session.run` in this process, so that what a handler adds to it is known call by call and does
 * not drown in the noise of the model itself.
 */
export class RunProbe {
  readonly #prototype = Reflect.get(InferenceSession, 'prototype') as { run: Run };
  readonly #original = this.#prototype.run;
  #runs: SessionRun[] = [];
  #recorded: readonly SessionRun[] = [];

  /** Answers the next calls with what these gave, instead of running the model. */
  replay(runs: readonly SessionRun[]): void {
    this.#recorded = runs;
  }

  /** Begins to watch. */
  start(): void {
    const { run: original } = this.#prototype;
    const note = (run: SessionRun) => this.#runs.push(run);
    const nextRecorded = () => {
      const [next, ...others] = this.#recorded;
      this.#recorded = others;
      return next?.results;
    };
    this.#prototype.run = async function watched(this: InferenceSession, feeds: InferenceSession.FeedsType) {
      const recorded = nextRecorded();
      if (recorded !== undefined) return recorded;
      const startedMs = performance.now();
      const results = await original.call(this, feeds);
      note({ session: this, feeds, results, durationMs: performance.now() - startedMs });
      return results;
    };
  }

  /** Takes the calls since it was last asked. */
  take(): readonly SessionRun[] {
    const runs = this.#runs;
    this.#runs = [];
    return runs;
  }

  /** Stops watching. */
  stop(): void {
    this.#prototype.run = this.#original;
  }
}
