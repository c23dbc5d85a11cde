import type { MessageAttributeValue } from '@aws-sdk/client-sqs';
import { JOB_EVENT_TYPE } from '../../../core/jobs/cloud-event.ts';
import { PRODUCERS } from '../../../core/jobs/job.ts';
import { jobIdOfEvent } from '../../../core/jobs/job-id.ts';
import type { JobMessage } from '../../../core/jobs/job-message.ts';
import { createHandler } from '../../../lambdas/accept-jobs/handler.ts';
import { createSubmit } from '../../../lambdas/shared/jobs/submit-job.ts';
import { openDeadLetters } from '../../../lambdas/shared/queue/dead-letters.ts';
import { modelQueueOpener } from '../../../lambdas/shared/queue/model-queues.ts';
import { openSqsWorkQueue } from '../../../lambdas/shared/queue/sqs-work-queue.ts';
import { sha256 } from '../../../lambdas/shared/sha256.ts';
import { jobsLog } from '../../../lambdas/shared/telemetry/jobs-line.ts';
import { PAYLOADS } from '../shared/jobs/job-servers.ts';
import { startJobsHarness, withoutPauses } from '../shared/jobs/jobs-harness.ts';
import { queueDirectory } from '../shared/queue/fixed-queue-directory.ts';

/** Source of a producer's events. */
export const SOURCE = '/shop/search';

/** The function behind the producers' queue. */
export type AcceptJobsHarness = Awaited<ReturnType<typeof startAcceptJobs>>;

/** Starts the function with the models `words` and `images`. The queue of the second does not exist at first. */
export async function startAcceptJobs() {
  const harness = await startJobsHarness(['jobs', 'words', 'dead']);
  const { servers, clock, urls, jobs, files, payloads, write } = harness;
  const imagesUrl = urls.words.replace('words', 'images');
  const modelQueues = {
    words: { jobs: urls.words, chunks: `${urls.words}-chunks` },
    images: { jobs: imagesUrl, chunks: `${urls.words}-chunks` },
  };
  const pauses: number[] = [];
  const handler = createHandler({
    resolve: {
      settings: {
        modelIds: Object.keys(modelQueues),
        taskModels: { embedding: ['words'] },
        payloadBucket: PAYLOADS,
      },
      allowLoopback: false,
      files,
    },
    grants: {
      replyQueues: ['answers'],
      eventBus: true,
      inputBuckets: [
        { bucket: 'inputs', prefix: '' },
        { bucket: PAYLOADS, prefix: '' },
      ],
    },
    submit: createSubmit({
      jobs,
      payloads: async () => payloads,
      queueOf: modelQueueOpener({
        client: servers.sqs,
        modelIds: Object.keys(modelQueues),
        directory: queueDirectory({ models: modelQueues }),
      }),
      retentionDays: 7,
      clock,
    }),
    deadLetters: openDeadLetters(servers.sqs, urls.dead),
    queue: withoutPauses(openSqsWorkQueue(servers.sqs, urls.jobs), pauses),
    clock,
    random: () => 0,
    log: jobsLog({ stage: 'dev', metricsNamespace: 'Tensorgate', metrics: 'basic', now: () => clock.now(), write }),
  });
  return {
    ...harness,
    /** Seconds that messages were to wait. */
    pauses,
    imagesUrl,
    /** Sends an event to the producers' queue. */
    send: (body: unknown, attributes?: Record<string, MessageAttributeValue>) => harness.send('jobs', body, attributes),
    /** Delivers the producers' queue to the function. */
    work: () => harness.deliver('jobs', handler),
    /** Takes the messages of the model `words`. */
    submitted: () => harness.takeJson<JobMessage>('words'),
    /** Takes the dead letters. */
    dead: () => harness.take('dead'),
    /** Record of the job of an event. */
    record: (eventId: string, owner = PRODUCERS) => jobs.get({ owner, id: jobIdOfEvent(sha256, SOURCE, eventId) }),
  };
}

/** Creates an event of a producer. */
export function jobEvent(id: string, data: object = {}, attributes: object = {}): Record<string, unknown> {
  return {
    specversion: '1.0',
    id,
    source: SOURCE,
    type: JOB_EVENT_TYPE,
    ...attributes,
    data: { endpoint: '/v1/embeddings', body: { input: 'a bb' }, ...data },
  };
}
