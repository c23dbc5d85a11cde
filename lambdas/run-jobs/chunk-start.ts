import { JSON_MEDIA_TYPE, jsonTextOf } from '../../core/api/body.ts';
import type { Batch } from '../../core/batches/batch.ts';
import { type BrokenLine, errorLine, isRequest, type LineRequest, outputLine } from '../../core/batches/batch-line.ts';
import {
  afterCrash,
  afterTry,
  type ChunkProgress,
  lastStartOf,
  NO_PROGRESS,
  triesOf,
} from '../../core/batches/chunk-progress.ts';
import { AppError, type ErrorCode } from '../../core/errors.ts';
import { parseEndpoint } from '../../core/jobs/job-endpoint.ts';
import type { ChunkMessage } from '../../core/jobs/job-message.ts';
import { LOST_WORKER } from '../../core/jobs/lost-worker.ts';
import { isOutage } from '../../core/jobs/outage.ts';
import { payloadKeys } from '../../core/jobs/payload-keys.ts';
import { hasPast } from '../shared/queue/requeue.ts';
import type { JobRun } from './job-run.ts';
import { type Answer, type ModelRequest, runRequests } from './run-requests.ts';
import { isRetryable, jobError, type Received } from './work.ts';

/** A line of one of the two files that a batch makes. */
interface LineResult {
  readonly line: number;
  readonly file: 'output' | 'errors';
  readonly text: string;
}

/** Lines of the two files that a batch makes. */
export interface Written {
  readonly output: readonly string[];
  readonly errors: readonly string[];
}

/** Media type of files with a JSON value in each line. */
const JSONL = 'application/jsonl';

/** Maximum bytes of the stored results of a chunk: as many as a worker may hold in memory. */
const MAX_RESULT_BYTES = 256 * 1024 * 1024;

/** Results that are not stored may be computed again after a crash: that much time of it at most. */
const UNSTORED_MS = 2000;

type Line = LineRequest | BrokenLine;

/**
 * One start of a chunk.
 *
 * Lines run together while all is well. If a worker crashed, they run one by one: the line that runs is recorded before, so
 * that the next worker knows which one crashed it. Lines with the fewest attempts run first. A line that was tried as often
 * as allowed becomes an error line. Each result is stored immediately, and the next start continues from there.
 */
export class ChunkStart {
  progress: ChunkProgress = NO_PROGRESS;
  /** Why the last line failed that will be tried again. */
  failure: AppError | undefined;
  /** Whether this start made results. */
  hasAdvanced = false;
  /** Whether the progress of earlier starts is known, so that it can be replaced. */
  isOpen = false;
  readonly #work: Received<ChunkMessage>;
  readonly #run: JobRun;
  readonly #results = new Map<number, LineResult>();
  #storedResults = 0;
  #storedAtMs: number;

  constructor(work: Received<ChunkMessage>, run: JobRun) {
    this.#work = work;
    this.#run = run;
    this.#storedAtMs = run.deps.inference.timer();
  }

  /**
   * Reads the progress of earlier starts. A chunk that was never started costs no request.
   *
   * @returns False if another worker runs the chunk, because there is another message of it: what two of them note about its
   * lines would replace each other.
   */
  async open(): Promise<boolean> {
    this.isOpen = !hasPast(this.#work);
    if (this.isOpen) return true;
    const { record, message, claimId, waits } = this.#work;
    const { deps, watch } = this.#run;
    const { messageId } = record;
    const nowMs = deps.inference.clock.now();
    const found = await deps.progress.read(message.batchId, message.index);
    const isRepeated = Number(record.attributes.ApproximateReceiveCount) > 1;
    const last = lastStartOf(found, { messageId, claimId, waits, isRepeated, nowMs });
    if (last === 'running') return false;
    const before = found ?? NO_PROGRESS;
    const worker = { messageId, claimId, waits, untilMs: nowMs + watch.remainingMs };
    this.progress = { ...(last === 'crashed' ? afterCrash(before) : before), isStarted: true, worker };
    const options = { nowMs, before: before.worker };
    if (!(await deps.progress.start(message.batchId, message.index, this.progress, options))) return false;
    this.isOpen = true;
    if (this.progress.hasResults) await this.#readResults();
    return true;
  }

  /** Notes that the worker stops while an endpoint has the lines. A start that was not noted needs no end. */
  async pause(): Promise<void> {
    if (this.progress.isStarted) await this.stop();
  }

  /** Changes the progress and stores it. */
  async save(change: Partial<ChunkProgress>): Promise<void> {
    const { batchId, index } = this.#work.message;
    this.progress = { ...this.progress, ...change };
    await this.#run.deps.progress.save(batchId, index, this.progress);
  }

  /** Stores the progress, so that the next start continues from here. */
  async stop(change: Partial<ChunkProgress> = {}): Promise<void> {
    await this.#storeResults();
    await this.save({ ...change, running: undefined, isStarted: false });
  }

  /**
   * Runs the lines that have no result yet, until the time ends or a dependency is unavailable.
   *
   * @returns Whether every line has its result.
   */
  async runLines(lines: readonly Line[], batch: Batch): Promise<boolean> {
    for (const line of lines) if (!isRequest(line)) this.#fail(line, line.error);
    const requests = lines.filter(isRequest).filter(({ line }) => !this.#results.has(line));
    if (this.progress.isAlone) await this.#runAlone(requests, batch);
    else await this.#runTogether(requests, batch);
    return lines.every(({ line }) => this.#results.has(line));
  }

  /**
   * Gives lines without a result the same error.
   *
   * @returns Number of these lines.
   */
  failRest(lines: readonly Line[], error: AppError): number {
    const before = this.#results.size;
    for (const line of lines) this.#fail(line, error);
    return this.#results.size - before;
  }

  /** Takes over the results of all requests, which another endpoint computed. */
  settleAll(lines: readonly Line[], answers: readonly Answer[]): boolean {
    for (const line of lines) if (!isRequest(line)) this.#fail(line, line.error);
    for (const [index, line] of lines.filter(isRequest).entries()) this.#settle(line, answers[index], true);
    return lines.every(({ line }) => this.#results.has(line));
  }

  /** All results, in the order of the lines. */
  written(): Written {
    const sorted = [...this.#results.values()].toSorted((a, b) => a.line - b.line);
    const of = (file: LineResult['file']) => sorted.filter((one) => one.file === file).map(({ text }) => text);
    return { output: of('output'), errors: of('errors') };
  }

  async #runTogether(requests: readonly LineRequest[], batch: Batch): Promise<void> {
    const { watch, pace, deps } = this.#run;
    for (let from = 0; from < requests.length && watch.hasTime && !this.#isAway; ) {
      const some = requests.slice(from, from + pace.linesWithin(watch.remainingMs));
      from += some.length;
      const startedMs = deps.inference.timer();
      const answers = await watch.measure(() => this.#ask(some, batch));
      pace.note(some.length, deps.inference.timer() - startedMs);
      for (const [index, line] of some.entries()) this.#settle(line, answers[index], some.length === 1);
    }
  }

  async #runAlone(requests: readonly LineRequest[], batch: Batch): Promise<void> {
    const { watch, deps } = this.#run;
    const tries = (line: LineRequest) => triesOf(this.progress, line.line);
    for (const line of requests.toSorted((a, b) => tries(a) - tries(b))) {
      if (tries(line) >= deps.maxReceiveCount) {
        const { code, message } = this.progress.reasons[line.line] ?? LOST_WORKER;
        this.#fail(line, new AppError(code, message));
        continue;
      }
      if (!watch.hasTime || this.#isAway) return;
      const isSuspect = this.progress.tries[line.line] !== undefined;
      if (isSuspect || deps.inference.timer() - this.#storedAtMs > UNSTORED_MS) await this.#storeResults();
      await this.save({ running: line.line });
      const note = deps.notes.ofLine(this.#work.message, this.progress, line.line, watch.remainingMs);
      const [answer] = await watch.measure(() => this.#ask([line], batch));
      await note.cancel();
      this.progress = { ...this.progress, running: undefined };
      this.#settle(line, answer, true);
    }
  }

  get #isAway(): boolean {
    return this.failure !== undefined && isOutage(this.failure);
  }

  #ask(requests: readonly LineRequest[], batch: Batch): Promise<Answer[]> {
    const { deps, watch, measures } = this.#run;
    const { deadlineMs } = watch;
    return runRequests(modelRequests(requests, this.#work.message, batch), deps.inference, { deadlineMs, measures });
  }

  /** @param isOwn - Whether the line ran alone, so that its failure is its own. */
  #settle(line: LineRequest, answer: Answer | undefined, isOwn: boolean): void {
    if (answer?.kind === 'answered') {
      const text = outputLine(this.#work.message.batchId, line, jsonTextOf(answer.body));
      this.#keep({ line: line.line, file: 'output', text });
      return;
    }
    const error = answer?.error ?? new AppError('INTERNAL', 'the line has no result');
    if (isOutage(error)) {
      this.failure = error;
      return;
    }
    if (!isRetryable(error)) {
      this.#fail(line, error);
      return;
    }
    if (isOwn || !SHARED.has(error.code)) this.progress = afterTry(this.progress, line.line, jobError(error));
    if (triesOf(this.progress, line.line) >= this.#run.deps.maxReceiveCount) this.#fail(line, error);
    else this.failure ??= error;
  }

  #fail(line: Line, error: AppError): void {
    if (this.#results.has(line.line)) return;
    this.#run.onError(error);
    this.#keep({ line: line.line, file: 'errors', text: errorLine(this.#work.message.batchId, line, error) });
  }

  #keep(result: LineResult): void {
    this.#results.set(result.line, result);
    this.hasAdvanced = true;
  }

  async #readResults(): Promise<void> {
    const { payloads } = this.#run.deps;
    const reference = { bucket: payloads.bucket, key: payloadKeys.chunkResults(this.#work.message) };
    const text = new TextDecoder().decode(await payloads.get(reference, { maxBytes: MAX_RESULT_BYTES }));
    for (const json of text.split('\n').filter((part) => part !== '')) {
      // Written by this class only.
      const result = JSON.parse(json) as LineResult;
      this.#results.set(result.line, result);
    }
    this.#storedResults = this.#results.size;
  }

  async #storeResults(): Promise<void> {
    this.#storedAtMs = this.#run.deps.inference.timer();
    if (this.#results.size === this.#storedResults) return;
    const text = [...this.#results.values()].map((result) => `${JSON.stringify(result)}\n`).join('');
    await this.#run.deps.payloads.put(payloadKeys.chunkResults(this.#work.message), text, JSONL);
    this.#storedResults = this.#results.size;
    this.progress = { ...this.progress, hasResults: true };
  }
}

/** Errors that lines share which ran together: none of them is to blame. */
const SHARED: ReadonlySet<ErrorCode> = new Set(['TIMEOUT']);

/** Returns the requests to the model that lines are. */
export function modelRequests(
  lines: readonly LineRequest[],
  { endpoint, owner }: ChunkMessage,
  { plan, cacheControl }: Batch,
): ModelRequest[] {
  const { operation, version } = parseEndpoint(endpoint);
  return lines.map(({ body: value }) => ({
    operation,
    // Results are lines of a file of JSON.
    body: { mediaType: JSON_MEDIA_TYPE, accept: JSON_MEDIA_TYPE, value },
    owner,
    version,
    plan,
    cacheControl,
  }));
}
