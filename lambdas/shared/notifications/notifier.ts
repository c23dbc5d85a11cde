import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { type EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import type { SQSClient } from '@aws-sdk/client-sqs';
import type { Clock } from '../../../core/clock.ts';
import { AppError } from '../../../core/errors.ts';
import type { FunctionSettings } from '../../../core/functions/settings.ts';
import type { Job } from '../../../core/jobs/job.ts';
import { JOB_EVENT_SOURCE, type JobEventOptions, jobCloudEvent } from '../../../core/jobs/job-cloud-event.ts';
import { MAX_JOB_INPUT_BYTES } from '../../../core/jobs/job-message.ts';
import { RESULT_URL_SECONDS } from '../../../core/jobs/job-resource.ts';
import type { Notifier } from '../../../core/jobs/notifier.ts';
import type { PayloadStore } from '../../../core/jobs/payload-store.ts';
import { wants } from '../../../core/webhooks/subscription.ts';
import { batchEvent, deliveryOf, jobEvent, type WebhookEvent } from '../../../core/webhooks/webhook-event.ts';
import { callAws } from '../aws/client-settings.ts';
import { fromPayload, toInlineBody } from '../jobs/inline-body.ts';
import { openSqsMessageQueue, sendText } from '../queue/sqs-message-queue.ts';
import { sha256 } from '../sha256.ts';
import { openSubscriptionStore } from './subscription-store.ts';

/** What {@link openNotifier} works with. */
export interface NotifierOptions {
  readonly settings: Pick<
    FunctionSettings,
    'stage' | 'jobsTable' | 'webhooksQueue' | 'replyQueues' | 'eventBus' | 'payloadBucket'
  >;
  readonly dynamoDb: DynamoDBClient;
  readonly sqs: SQSClient;
  /** Opens the client of the event bus: few jobs want it. */
  readonly eventBridge: () => Promise<EventBridgeClient>;
  readonly payloads: PayloadStore;
  readonly clock: Clock;
}

/** Most bytes of a result within a reply: SQS takes 1 MiB, and readers are spared a second request. */
const MAX_REPLY_RESULT_BYTES = 192 * 1024;

/** Most bytes of a result within an event: EventBridge takes 256 KiB, with all that is around it. */
const MAX_EVENT_RESULT_BYTES = 100 * 1024;

/**
 * Opens what tells the destinations of jobs and batches that they have ended: reply queues, the event bus, and one
 * delivery for each webhook onto the queue of webhooks, so that no receiver is waited for.
 */
export function openNotifier(options: NotifierOptions): Notifier {
  const { settings, dynamoDb, sqs, clock } = options;
  const subscriptions = openSubscriptionStore(dynamoDb, settings.jobsTable);
  const webhooks = openSqsMessageQueue({ client: sqs, url: settings.webhooksQueue });
  const tellWebhooks = async (event: WebhookEvent, adHoc: string | undefined) => {
    const registered = await subscriptions.list(event.owner);
    const urls = registered.filter((one) => wants(one, event.type)).map(({ url }) => url);
    const all = new Set([...urls, ...(adHoc === undefined ? [] : [adHoc])]);
    if (all.size === 0) return;
    await webhooks.sendAll([...all].map((url) => deliveryOf(event, url, sha256, clock.now())));
  };
  return {
    notifyJobs: async (jobs) => {
      for (const job of jobs) {
        const { webhookUrl, replyQueue, eventBus } = job.destinations;
        await Promise.all([
          tellWebhooks(jobEvent(job), webhookUrl),
          ...(replyQueue === undefined ? [] : [reply(job, replyQueue, options)]),
          ...(eventBus === true ? [putEvent(job, options)] : []),
        ]);
      }
    },
    notifyBatch: (batch) => tellWebhooks(batchEvent(batch), undefined),
  };
}

async function reply(job: Job, name: string, options: NotifierOptions): Promise<void> {
  const url = Object.hasOwn(options.settings.replyQueues, name) ? options.settings.replyQueues[name] : undefined;
  // The deployment may have lost the queue since the job was accepted; the record still tells the result.
  if (url === undefined) return;
  await sendText(options.sqs, url, jobCloudEvent(job, await eventOptions(job, MAX_REPLY_RESULT_BYTES, options)));
}

async function putEvent(job: Job, options: NotifierOptions): Promise<void> {
  const { settings, eventBridge } = options;
  const command = new PutEventsCommand({
    Entries: [
      {
        EventBusName: settings.eventBus,
        Source: JOB_EVENT_SOURCE,
        DetailType: `tensorgate.job.${job.status}.v1`,
        Detail: jobCloudEvent(job, await eventOptions(job, MAX_EVENT_RESULT_BYTES, options)),
      },
    ],
  });
  const client = await eventBridge();
  const { Entries: entries = [] } = await callAws('the event bus', () => client.send(command));
  const [failed] = entries.filter(({ ErrorCode: code }) => code !== undefined);
  if (failed !== undefined) throw new AppError('UNAVAILABLE', `the event bus refused an event: ${failed.ErrorCode}`);
}

/** A result that lies in the bucket comes along where it is small enough, else the address of it. */
async function eventOptions(job: Job, maxBytes: number, { settings, payloads }: NotifierOptions) {
  const { result } = job;
  const common = { stage: settings.stage, maxResultBytes: maxBytes };
  if (result?.kind !== 'payload') return common satisfies JobEventOptions;
  const size = result.mediaType === undefined ? result.bytes : 4 * Math.ceil(result.bytes / 3);
  if (size <= maxBytes) {
    const bytes = await payloads.get(result.payload, { maxBytes: MAX_JOB_INPUT_BYTES });
    return { ...common, result: toInlineBody(fromPayload(bytes, result.mediaType)) };
  }
  const resultUrl = await payloads.presignGet(result.payload.key, { expiresSeconds: RESULT_URL_SECONDS });
  return { ...common, resultUrl };
}
