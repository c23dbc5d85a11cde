import type { ITable } from 'aws-cdk-lib/aws-dynamodb';
import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import type { JobsConfig } from '../../core/config/deploy-config.ts';
import { FUNCTIONS, type FunctionDefinition, type FunctionName } from '../../core/functions/functions.ts';
import type { MetricsLevel } from '../../core/functions/metrics-level.ts';
import type { PayloadKind, Permissions } from '../../core/functions/permissions.ts';
import { type FunctionSettings, type ModelQueues, renderSettings } from '../../core/functions/settings.ts';
import type { Grants } from '../../core/identity/grants.ts';
import type { CacheScope } from '../../core/results/cache-scope.ts';
import { grantList, grantListDue, grantRecords } from '../data/jobs-table.ts';
import { grantListKeys, grantObjects } from '../data/payload-bucket.ts';
import type { Model } from '../packaging/model.ts';
import { explainWildcard } from '../security/wildcard-reason.ts';
import type { JobEvents } from './job-events.ts';
import { type JobQueues, type QueuesOfModel, SHARED_MAX_RECEIVES } from './job-queues.ts';
import type { JobsConcurrency } from './jobs-concurrency.ts';

/** Dependencies of the job functions. */
export interface JobParts {
  readonly stageName: string;
  readonly metrics: MetricsLevel;
  readonly metricsNamespace: string;
  readonly cacheScope: CacheScope;
  readonly config: JobsConfig;
  /** Ids of the models by task, of tasks with routes that models share; the first serves requests that name none. */
  readonly taskModels: FunctionSettings['taskModels'];
  /** Ids of the models by alias; undefined if there are none. */
  readonly modelAliases: FunctionSettings['modelAliases'] | undefined;
  readonly jobsTable: ITable;
  readonly webhooksTable: ITable;
  readonly payloadBucket: IBucket;
  /** Buckets from which jobs may read inputs, in addition to the payload bucket. */
  readonly inputBuckets: readonly IBucket[];
  readonly queues: JobQueues;
  readonly events: JobEvents;
  readonly concurrency: JobsConcurrency;
}

/** Model whose queues a function uses; undefined for the queues of every model. */
type Scope = Model | undefined;

/**
 * Renders the environment variables that a function needs, and no others.
 *
 * @param own - The function's model, if it has one.
 */
export function jobEnvironment(name: FunctionName, parts: JobParts, own?: Model): Record<string, string> {
  const { settings, settingsWithJobs }: FunctionDefinition = FUNCTIONS[name];
  const { required, optional = [] } = settingsWithJobs ?? settings;
  const named = new Set<string>([...required, ...optional]);
  const all = Object.entries(settingsOfJobs(name, parts, own));
  return renderSettings(Object.fromEntries(all.filter(([setting]) => named.has(setting))));
}

/**
 * Grants a function the permissions that it needs, and no others.
 *
 * @param own - The function's model, if it has one.
 */
export function grantJobAccess(name: FunctionName, grantee: IGrantable, parts: JobParts, own?: Model): void {
  const { permissions }: FunctionDefinition = FUNCTIONS[name];
  const { records, webhooks } = permissions;
  if (records.length > 0) grantRecords(parts.jobsTable, grantee, records, permissions.recordKinds);
  if (permissions.listsRecords === true) grantList(parts.jobsTable, grantee);
  if (permissions.listsDueRecords === true) grantListDue(parts.jobsTable, grantee);
  if (webhooks !== undefined) grantRecords(parts.webhooksTable, grantee, webhooks);
  grantPayloads(permissions, grantee, parts);
  grantQueues(permissions, grantee, parts, own);
  if (permissions.notifies === true) parts.events.bus.grantPutEventsTo(grantee);
}

/** Collects every setting of jobs for one function. */
function settingsOfJobs(name: FunctionName, parts: JobParts, own: Scope): Partial<FunctionSettings> {
  const { config, queues } = parts;
  const { permissions } = FUNCTIONS[name];
  return {
    stage: parts.stageName,
    metricsNamespace: parts.metricsNamespace,
    metrics: parts.metrics,
    cacheScope: parts.cacheScope,
    jobsTable: parts.jobsTable.tableName,
    webhooksTable: parts.webhooksTable.tableName,
    payloadBucket: parts.payloadBucket.bucketName,
    modelQueues: Object.fromEntries(queuesOf(queues, own).map(([id, one]) => [id, neededUrls(permissions, one)])),
    taskModels: parts.taskModels,
    modelAliases: parts.modelAliases,
    batchesQueue: queues.shared.batches.queueUrl,
    webhooksQueue: queues.shared.webhooks.queueUrl,
    lostJobsQueue: queues.shared['lost-jobs'].queueUrl,
    deadLettersQueue: queues.shared['dead-letters'].queueUrl,
    jobsQueue: queues.shared.jobs.queueUrl,
    eventBus: parts.events.bus.eventBusName,
    replyQueues: Object.fromEntries([...queues.replies].map(([reply, { queueUrl }]) => [reply, queueUrl])),
    producerGrants: producerGrantsOf(config),
    retentionDays: config.retentionDays,
    fileRetentionDays: config.fileRetentionDays,
    maxReceiveCount: own?.manifest.jobs.maxReceiveCount ?? SHARED_MAX_RECEIVES,
    webhookConcurrency: parts.concurrency.ofFunction('deliver-webhooks'),
    maxFileBytes: config.maxFileBytes,
  };
}

/** Producers may use everything that jobs can use, unless the configuration says less. */
function producerGrantsOf({ replyQueues, inputBuckets, producers }: JobsConfig): Grants {
  return {
    replyQueues: producers.replyQueues ?? replyQueues,
    eventBus: producers.eventBus,
    inputBuckets: producers.inputBuckets ?? inputBuckets.map((bucket) => ({ bucket, prefix: '' })),
  };
}

/** The environment is small, so the URLs that a function does not need are empty. */
function neededUrls({ sendsToModels = [], namesModels = [] }: Permissions, queues: QueuesOfModel): ModelQueues {
  const urlOf = (kind: keyof QueuesOfModel) =>
    sendsToModels.includes(kind) || namesModels.includes(kind) ? queues[kind].queueUrl : '';
  return { jobs: urlOf('jobs'), chunks: urlOf('chunks') };
}

function queuesOf({ models }: JobQueues, own: Scope): readonly (readonly [string, QueuesOfModel])[] {
  return [...models].filter(([id]) => own === undefined || own.id === id);
}

function grantPayloads(permissions: Permissions, grantee: IGrantable, { payloadBucket, inputBuckets }: JobParts): void {
  for (const [kind, actions] of Object.entries(permissions.objects)) {
    grantObjects(payloadBucket, grantee, kind as PayloadKind, actions);
  }
  if (permissions.listsObjects === true) grantListKeys(payloadBucket, grantee);
  if (permissions.readsInputBuckets !== true) return;
  for (const bucket of inputBuckets) grantReadInputs(grantee, bucket);
}

/** `grantRead` of a bucket would also grant listing its keys. */
function grantReadInputs(grantee: IGrantable, bucket: IBucket): void {
  const reason = 'The configuration allows inputs in the whole bucket.';
  explainWildcard(grantee, { arn: bucket.bucketArn, suffix: '/*', reason });
  Grant.addToPrincipal({ grantee, actions: ['s3:GetObject'], resourceArns: [bucket.arnForObjects('*')] });
  bucket.encryptionKey?.grantDecrypt(grantee);
}

function grantQueues(permissions: Permissions, grantee: IGrantable, { queues }: JobParts, own: Scope): void {
  const { inspects = [], inspectsModels = [] } = permissions;
  const inspected = queuesOf(queues, own).flatMap(([, one]) => inspectsModels.map((kind) => one[kind]));
  grantOn(grantee, 'sqs:GetQueueAttributes', [...inspects.map((name) => queues.shared[name]), ...inspected]);
  const ofModels = queuesOf(queues, own).flatMap(([, one]) =>
    (permissions.sendsToModels ?? []).map((kind) => one[kind]),
  );
  const ofNotifier = permissions.notifies === true ? [queues.shared.webhooks, ...queues.replies.values()] : [];
  const sends = permissions.sends.map((name) => queues.shared[name]);
  grantOn(grantee, 'sqs:SendMessage', [...sends, ...ofModels, ...ofNotifier]);
}

function grantOn(grantee: IGrantable, action: string, queues: readonly IQueue[]): void {
  if (queues.length === 0) return;
  const resourceArns = [...new Set(queues)].map(({ queueArn }) => queueArn);
  Grant.addToPrincipal({ grantee, actions: [action], resourceArns });
}
