import { createHandler } from '../../../lambdas/fail-lost-jobs/handler.ts';
import { openDeadLetters } from '../../../lambdas/shared/queue/dead-letters.ts';
import { openSqsWorkQueue } from '../../../lambdas/shared/queue/sqs-work-queue.ts';
import { jobsLog } from '../../../lambdas/shared/telemetry/jobs-line.ts';
import { OWNER, startJobsHarness, withoutPauses } from '../shared/jobs/jobs-harness.ts';
import { queueDirectory } from '../shared/queue/fixed-queue-directory.ts';

/** The function behind the queue of lost messages. */
export type LostJobsHarness = Awaited<ReturnType<typeof startLostJobs>>;

/** Starts the function for a deployment with the model `words`. */
export async function startLostJobs() {
  const harness = await startJobsHarness(['lost', 'dead', 'batches']);
  const { servers, clock, urls, jobs, batches, notifier, write } = harness;
  const words = { jobs: `${servers.url}/000000000000/jobs-words`, chunks: `${servers.url}/000000000000/chunks-words` };
  const movedFrom = new Map<string, string>();
  const pauses: number[] = [];
  const handler = createHandler({
    jobs,
    chunks: batches,
    notifier,
    deadLetters: openDeadLetters(servers.sqs, urls.dead),
    queue: withoutPauses(openSqsWorkQueue(servers.sqs, urls.lost), pauses),
    random: () => 0,
    batchSteps: harness.queue('batches'),
    lostJobsQueue: urls.lost,
    directory: queueDirectory({ models: { words } }),
    log: jobsLog({ stage: 'dev', metricsNamespace: 'Tensorgate', metrics: 'basic', now: () => clock.now(), write }),
  });
  return {
    ...harness,
    /** Seconds that messages were to wait. */
    pauses,
    /** Queues of the model `words`. */
    words,
    /** Puts a message into the queue, as if SQS had moved it there from the named queue. */
    lose: async (message: unknown, queue?: string) => {
      const id = await harness.send('lost', message);
      if (queue !== undefined) movedFrom.set(id, `arn:aws:sqs:us-east-1:000000000000:${queue}`);
    },
    /** Delivers the queue of lost messages to the function. */
    work: () =>
      harness.deliver('lost', handler, {
        edit: ({ attributes, messageId }) => {
          const source = movedFrom.get(messageId);
          if (source !== undefined) attributes.DeadLetterQueueSourceArn = source;
        },
      }),
    /** Takes the dead letters. */
    dead: () => harness.take('dead'),
    /** Takes the requested batch steps. */
    steps: () => harness.takeJson<unknown>('batches'),
    read: (id: string) => jobs.get({ owner: OWNER, id }),
  };
}
