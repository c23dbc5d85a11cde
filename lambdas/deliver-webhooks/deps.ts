import { randomBytes } from 'node:crypto';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SQSClient } from '@aws-sdk/client-sqs';
import type { DELIVER_WEBHOOKS } from '../../core/functions/functions.ts';
import { ALLOW_LOOPBACK_VARIABLE, type SettingsOf } from '../../core/functions/settings.ts';
import { patientLimits } from '../../core/webhooks/endpoint-health.ts';
import { SECRET_BYTES } from '../../core/webhooks/signature.ts';
import { CLIENT_SETTINGS } from '../shared/aws/client-settings.ts';
import { resolveBySystem } from '../shared/notifications/public-address.ts';
import { openSubscriptionStore } from '../shared/notifications/subscription-store.ts';
import { openWebhookStore } from '../shared/notifications/webhook-store.ts';
import { openDeadLetters } from '../shared/queue/dead-letters.ts';
import { openSqsWorkQueue } from '../shared/queue/sqs-work-queue.ts';
import { systemClock, systemTimer } from '../shared/system-clock.ts';
import { writeLine } from '../shared/telemetry/write-line.ts';
import type { DeliverWebhooksDeps } from './handler.ts';
import { createPost } from './post-webhook.ts';

/** Opens the dependencies of the function. */
export function openDeps(settings: SettingsOf<typeof DELIVER_WEBHOOKS.settings>): DeliverWebhooksDeps {
  const clock = systemClock;
  const client = new DynamoDBClient(CLIENT_SETTINGS);
  const { jobsTable, webhooksTable, webhooksQueue, retentionDays, stage, metricsNamespace, metrics } = settings;
  const sqs = new SQSClient(CLIENT_SETTINGS);
  const queue = openSqsWorkQueue(sqs, webhooksQueue);
  return {
    webhooks: openWebhookStore({
      client,
      table: webhooksTable,
      retentionDays,
      clock,
      secretBytes: () => randomBytes(SECRET_BYTES),
    }),
    subscriptions: openSubscriptionStore(client, jobsTable),
    queue,
    consumed: queue,
    deadLetters: openDeadLetters(sqs, settings.deadLettersQueue),
    post: createPost({ allowLoopback: process.env[ALLOW_LOOPBACK_VARIABLE] === '1', resolve: resolveBySystem }),
    limits: patientLimits(settings.webhookConcurrency),
    clock,
    timer: systemTimer,
    random: Math.random,
    stage,
    metricsNamespace,
    metrics,
    write: writeLine,
  };
}
