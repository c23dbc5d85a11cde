import type { JobError } from '../jobs/job.ts';

/** The worker that started a chunk last. */
export interface ChunkWorker {
  /** The message that it was started by, and the claim of that delivery. */
  readonly messageId: string;
  readonly claimId: string;
  /** How often that claim had waited before, as other messages. */
  readonly waits: number;
  /** When its time ends, milliseconds since the Unix epoch. */
  readonly untilMs: number;
}

/** The progress of a chunk that no start has completed yet. */
export interface ChunkProgress {
  /** Whether a worker has started it and has not stopped: it is running, or it has crashed. */
  readonly isStarted: boolean;
  readonly worker?: ChunkWorker | undefined;
  /** Whether a worker crashed while it ran several lines. From then on they run one by one. */
  readonly isAlone: boolean;
  /** Starts that crashed or failed as a whole, so that no line is to blame. */
  readonly crashes: number;
  /** Number of the line that a worker runs alone; absent while none does. */
  readonly running?: number | undefined;
  /** How often workers tried lines that have no result yet, by the numbers of the lines. */
  readonly tries: Readonly<Record<string, number>>;
  /** Why the last try of a line failed, by its number; absent if its worker crashed without noting a reason. */
  readonly reasons: Readonly<Record<string, JobError>>;
  /** Why the last start failed as a whole. */
  readonly failure?: JobError | undefined;
  /** Whether results of lines are stored. */
  readonly hasResults: boolean;
  /** When a dependency became unavailable that the chunk waits for. */
  readonly waitingSinceMs?: number | undefined;
}

/** The progress of a chunk that was never started. */
export const NO_PROGRESS: ChunkProgress = {
  isStarted: false,
  isAlone: false,
  crashes: 0,
  tries: {},
  reasons: {},
  hasResults: false,
};

/** One delivery of a message of a chunk. */
export interface ChunkDelivery {
  readonly messageId: string;
  /** A message that waited has the claim of the delivery before. */
  readonly claimId: string;
  /** How often that claim has waited, as other messages. */
  readonly waits: number;
  /** Whether the message itself was delivered before. */
  readonly isRepeated: boolean;
  readonly nowMs: number;
}

/**
 * Returns what became of the last start of a chunk. A chunk can have several messages: a copy may be sent although the response
 * says that it was not, and it may be sent twice. Only what follows from the worker's own delivery says that it stopped or
 * crashed: a copy that it sent, or a later delivery of its message. Otherwise the end of its time says that it crashed.
 */
export function lastStartOf(
  progress: ChunkProgress | undefined,
  { messageId, claimId, waits, isRepeated, nowMs }: ChunkDelivery,
): 'stopped' | 'crashed' | 'running' {
  if (progress?.isStarted === false) return 'stopped';
  const worker = progress?.worker;
  if (worker === undefined) return isRepeated ? 'crashed' : 'stopped';
  // Copies of one claim that have waited as often are copies of one message: one of them says nothing about the other.
  if (worker.claimId === claimId && waits > worker.waits) return 'stopped';
  const isLater = deliveryIn(claimId, worker.messageId) > deliveryIn(worker.claimId, worker.messageId);
  return worker.messageId === messageId || isLater || worker.untilMs <= nowMs ? 'crashed' : 'running';
}

/** Returns which delivery of a message a claim names; 0 if it names another message. */
function deliveryIn(claimId: string, messageId: string): number {
  return claimId.startsWith(`${messageId}.`) ? Number(claimId.slice(messageId.length + 1)) : 0;
}

/** Returns the progress of a chunk whose worker crashed: the line that ran alone has used up a try. */
export function afterCrash({ running, failure: _, ...progress }: ChunkProgress): ChunkProgress {
  const crashed = { ...progress, isAlone: true };
  return running === undefined
    ? { ...crashed, crashes: progress.crashes + 1 }
    : { ...crashed, tries: { ...progress.tries, [running]: triesOf(crashed, running) + 1 } };
}

/** Returns how often workers tried a line. Every line has been tried if a worker crashed with several of them. */
export function triesOf({ tries, isAlone }: ChunkProgress, line: number): number {
  return tries[line] ?? (isAlone ? 1 : 0);
}

/** Counts a try of a line that failed, and notes why. */
export function afterTry(progress: ChunkProgress, line: number, reason: JobError): ChunkProgress {
  return {
    ...progress,
    tries: { ...progress.tries, [line]: triesOf(progress, line) + 1 },
    reasons: { ...progress.reasons, [line]: reason },
  };
}
