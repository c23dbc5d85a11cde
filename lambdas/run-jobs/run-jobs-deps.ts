import type { ChunkStore } from '../../core/batches/batch-store.ts';
import type { JobStore } from '../../core/jobs/job-store.ts';
import type { MessageQueue } from '../../core/jobs/message-queue.ts';
import type { Notifier } from '../../core/jobs/notifier.ts';
import type { PayloadStore } from '../../core/jobs/payload-store.ts';
import type { ChunkProgressStore } from '../shared/batches/chunk-progress-store.ts';
import type { DeadLetters } from '../shared/queue/dead-letters.ts';
import type { WorkQueue } from '../shared/queue/sqs-work-queue.ts';
import type { AsyncRuns } from './async-runs.ts';
import type { DeadlineNotes } from './deadline-notes.ts';
import type { RunRequestsDeps } from './run-requests.ts';

/** Dependencies of the worker. */
export interface RunJobsDeps {
  readonly inference: RunRequestsDeps;
  readonly jobs: JobStore;
  readonly chunks: ChunkStore;
  readonly progress: ChunkProgressStore;
  readonly notes: DeadlineNotes;
  readonly payloads: PayloadStore;
  readonly queues: { readonly jobs: WorkQueue; readonly chunks: WorkQueue };
  /** Queue of batch steps. */
  readonly batchSteps: MessageQueue;
  /** Set if the model runs on an asynchronous endpoint. */
  readonly asyncRuns?: AsyncRuns;
  readonly deadLetters: DeadLetters;
  readonly notifier: Notifier;
  /** `maxReceiveCount` of the queues. */
  readonly maxReceiveCount: number;
  /** Returns a number from 0 up to but not including 1. */
  readonly random: () => number;
}
