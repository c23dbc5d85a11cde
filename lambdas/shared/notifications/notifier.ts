import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { type EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import type { SQSClient } from '@aws-sdk/client-sqs';
import type { Clock } from '../../../core/clock.ts';
import type { FunctionSettings } from '../../../core/functions/settings.ts';
import type { Job } from '../../../core/jobs/job.ts';
import { JOB_EVENT_SOURCE, type JobEventOptions, jobCloudEvent } from '../../../core/jobs/job-cloud-event.ts';
import { MAX_JOB_INPUT_BYTES } from '../../../core/jobs/job-message.ts';
import { RESULT_URL_SECONDS } from '../../../core/jobs/job-resource.ts';
import type { Notifier } from '../../../core/jobs/notifier.ts';
import type { PayloadStore } from '../../../core/jobs/payload-store.ts';
import { isSubscribed } from '../../../core/webhooks/subscription.ts';
import { batchEvent, deliveryOf, jobEvent, type WebhookEvent } from '../../../core/webhooks/webhook-event.ts';
import { canonicalUrl } from '../../../core/webhooks/webhook-url.ts';
import { callAws, refusal } from '../aws/client-settings.ts';
import { fromPayload, toInlineBody } from '../jobs/inline-body.ts';
import type { QueueDirectory } from '../queue/queue-directory.ts';
import { openSqsMessageQueue, sendText } from '../queue/sqs-message-queue.ts';
import { sha256 } from '../sha256.ts';
import { openSubscriptionStore } from './subscription-store.ts';

/** Dependencies of {@link openNotifier}. */
export interface NotifierOptions {
  readonly settings: Pick<FunctionSettings, 'stage' | 'jobsTable' | 'webhooksQueue' | 'eventBus' | 'payloadBucket'>;
  /** Queues that jobs may name for their results. */
  readonly directory: Pick<QueueDirectory, 'ofReplies'>;
  readonly dynamoDb: DynamoDBClient;
  readonly sqs: SQSClient;
  /** Opens the client of the event bus on first use. */
  readonly eventBridge: () => Promise<EventBridgeClient>;
  readonly payloads: PayloadStore;
  readonly clock: Clock;
}

/** Maximum bytes of a result within a reply, which saves its reader a second request. SQS accepts 1 MiB. */
const MAX_REPLY_RESULT_BYTES = 192 * 1024;

/** Maximum bytes of a result within an event. EventBridge accepts 256 KiB for the whole entry. */
const MAX_EVENT_RESULT_BYTES = 100 * 1024;

/**
 * Opens the notifier of completed jobs and batches. It sends to reply queues and to the event bus. For each webhook it
 * queues a delivery, so that no job waits for a receiver.
 */
export function openNotifier(options: NotifierOptions): Notifier {
  const { settings, dynamoDb, sqs, clock } = options;
  const subscriptions = openSubscriptionStore(dynamoDb, settings.jobsTable);
  const listOnce = shareConcurrent(subscriptions.list);
  const webhooks = openSqsMessageQueue({ client: sqs, url: settings.webhooksQueue });
  const notifyWebhooks = async (event: WebhookEvent, adHoc: string | undefined) => {
    const registered = await subscriptions.list(event.owner);
    const urls = registered.filter((subscription) => isSubscribed(subscription, event.type)).map(({ url }) => url);
    const all = new Set([...urls, ...(adHoc === undefined ? [] : [adHoc])].map(canonicalUrl));
    if (all.size === 0) return;
    await webhooks.sendAll([...all].map((url) => deliveryOf(event, url, sha256, clock.now())));
  };
  return {
    hasDestinations: async ({ owner, destinations: { webhookUrl, replyQueue, eventBus } }) => {
      const hasOwn = webhookUrl !== undefined || replyQueue !== undefined || eventBus === true;
      return hasOwn || (await listOnce(owner)).length > 0;
    },
    notifyJob: async (job, kind) => {
      const { webhookUrl, replyQueue } = job.destinations;
      if (kind === 'webhooks') await notifyWebhooks(jobEvent(job), webhookUrl);
      else if (kind === 'event') await putEvent(job, options);
      else if (replyQueue !== undefined) await reply(job, replyQueue, options);
    },
    notifyBatch: (batch) => notifyWebhooks(batchEvent(batch), undefined),
  };
}

/** Calls with the same key share one call while it runs. The jobs of one invocation often have the same owner. */
function shareConcurrent<T>(call: (key: string) => Promise<T>): (key: string) => Promise<T> {
  const running = new Map<string, Promise<T>>();
  return (key) => {
    const shared = running.get(key) ?? call(key).finally(() => running.delete(key));
    running.set(key, shared);
    return shared;
  };
}

async function reply(job: Job, name: string, options: NotifierOptions): Promise<void> {
  const url = await options.directory.ofReplies(name);
  // The queue may have been removed from the deployment since. The result is still in the record.
  if (url === undefined) return;
  const event = jobCloudEvent(job, await eventOptions(job, MAX_REPLY_RESULT_BYTES, options));
  await sendText(options.sqs, url, event, job.owner);
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
  if (failed !== undefined) throw refusal('the event bus refused an event', failed.ErrorCode);
}

/** Includes a result from the bucket if it is small enough, otherwise its URL. */
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
