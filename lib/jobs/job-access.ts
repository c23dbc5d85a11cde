import { Stack } from 'aws-cdk-lib';
import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam';
import type { JobsConfig } from '../../core/config/deploy-config.ts';
import { type JobsSettings, type ModelQueues, renderJobsSettings } from '../../core/functions/jobs-settings.ts';
import type { JobsTable } from '../data/jobs-table.ts';
import type { PayloadBucket, PayloadKind } from '../data/payload-bucket.ts';
import type { WebhooksTable } from '../data/webhooks-table.ts';
import { type FunctionNeeds, JOB_NEEDS } from '../functions/job-needs.ts';
import { METRICS_NAMESPACE } from '../monitoring/metrics-namespace.ts';
import type { Model } from '../packaging/model.ts';
import type { FunctionName } from '../packaging/package-layout.ts';
import { explainWildcard } from '../security/wildcard-reason.ts';
import type { JobEvents } from './job-events.ts';
import { type JobQueues, type QueuesOfModel, SHARED_MAX_RECEIVES } from './job-queues.ts';

/** All that functions around jobs work with. */
export interface JobParts {
  readonly stageName: string;
  readonly config: JobsConfig;
  /** Ids of the embedding models, the one that serves requests that name none first. */
  readonly embeddingModels: readonly string[];
  readonly jobsTable: JobsTable;
  readonly webhooksTable: WebhooksTable;
  readonly payloadBucket: PayloadBucket;
  readonly queues: JobQueues;
  readonly events: JobEvents;
}

/** Whose queues a function works with: those of its own model, or everybody's. */
type Scope = Model | undefined;

/**
 * Environment variables of a function: those that it needs and no others.
 *
 * @param own - The function's model, where it has one.
 */
export function jobEnvironment(name: FunctionName, parts: JobParts, own?: Model): Record<string, string> {
  const all = allSettings(name, parts, own);
  const needed = new Set<string>(JOB_NEEDS[name].settings);
  return renderJobsSettings(Object.fromEntries(Object.entries(all).filter(([setting]) => needed.has(setting))));
}

/**
 * Lets a function do what it is there for, and nothing else.
 *
 * @param own - The function's model, where it has one.
 */
export function grantJobAccess(name: FunctionName, grantee: IGrantable, parts: JobParts, own?: Model): void {
  const needs = JOB_NEEDS[name];
  if (needs.records.length > 0) parts.jobsTable.grantRecords(grantee, needs.records);
  if (needs.lists === true) parts.jobsTable.grantList(grantee);
  if (needs.webhooks !== undefined) parts.webhooksTable.grantItems(grantee, needs.webhooks);
  grantObjects(needs, grantee, parts);
  grantQueues(needs, grantee, parts, own);
  if (needs.notifies === true) parts.events.bus.grantPutEventsTo(grantee);
}

function allSettings(name: FunctionName, parts: JobParts, own: Scope): JobsSettings {
  const { config, queues } = parts;
  const keepsFiles = name === 'serve-batches' || name === 'process-batches';
  return {
    stage: parts.stageName,
    metricsNamespace: METRICS_NAMESPACE,
    jobsTable: parts.jobsTable.table.tableName,
    webhooksTable: parts.webhooksTable.table.tableName,
    payloadBucket: parts.payloadBucket.bucket.bucketName,
    modelQueues: Object.fromEntries(queuesOf(queues, own).map(([id, one]) => [id, neededUrls(JOB_NEEDS[name], one)])),
    embeddingModels: parts.embeddingModels,
    batchesQueue: queues.shared.batches.queueUrl,
    webhooksQueue: queues.shared.webhooks.queueUrl,
    deadLettersQueue: queues.shared['dead-letters'].queueUrl,
    jobsQueue: queues.shared.jobs.queueUrl,
    eventBus: parts.events.bus.eventBusName,
    replyQueues: Object.fromEntries([...queues.replies].map(([reply, { queueUrl }]) => [reply, queueUrl])),
    inputBuckets: config.inputBuckets,
    retentionDays: keepsFiles ? config.fileRetentionDays : config.retentionDays,
    maxReceiveCount: own?.manifest.jobs.maxReceiveCount ?? SHARED_MAX_RECEIVES,
    maxFileBytes: config.maxFileBytes,
  };
}

/** An environment has little room: the URLs that a function does not need are empty. */
function neededUrls({ sendsToModels = [], namesModels = [] }: FunctionNeeds, queues: QueuesOfModel): ModelQueues {
  const urlOf = (kind: keyof QueuesOfModel) =>
    sendsToModels.includes(kind) || namesModels.includes(kind) ? queues[kind].queueUrl : '';
  return { jobs: urlOf('jobs'), chunks: urlOf('chunks') };
}

function queuesOf({ models }: JobQueues, own: Scope): readonly (readonly [string, QueuesOfModel])[] {
  return [...models].filter(([id]) => own === undefined || own.id === id);
}

function grantObjects(needs: FunctionNeeds, grantee: IGrantable, { payloadBucket, config }: JobParts): void {
  for (const [kind, actions] of Object.entries(needs.objects)) {
    payloadBucket.grantObjects(grantee, kind as PayloadKind, actions);
  }
  if (needs.listsObjects === true) payloadBucket.grantList(grantee);
  if (needs.readsInputBuckets !== true) return;
  for (const name of config.inputBuckets) grantReadInputs(grantee, payloadBucket, name);
}

function grantReadInputs(grantee: IGrantable, payloadBucket: PayloadBucket, name: string): void {
  const arn = Stack.of(payloadBucket).formatArn({ service: 's3', region: '', account: '', resource: name });
  const reason = 'The configuration names the whole bucket as a place of inputs.';
  explainWildcard(grantee, { arn, suffix: '/*', reason });
  Grant.addToPrincipal({ grantee, actions: ['s3:GetObject'], resourceArns: [`${arn}/*`] });
}

function grantQueues(needs: FunctionNeeds, grantee: IGrantable, { queues }: JobParts, own: Scope): void {
  const ofModels = queuesOf(queues, own).flatMap(([, one]) => (needs.sendsToModels ?? []).map((kind) => one[kind]));
  const ofNotifier = needs.notifies === true ? [queues.shared.webhooks, ...queues.replies.values()] : [];
  const targets = new Set([...needs.sends.map((name) => queues.shared[name]), ...ofModels, ...ofNotifier]);
  if (targets.size === 0) return;
  Grant.addToPrincipal({
    grantee,
    actions: ['sqs:SendMessage'],
    resourceArns: [...targets].map(({ queueArn }) => queueArn),
  });
}
