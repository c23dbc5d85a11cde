import { Aws, Stack } from 'aws-cdk-lib';
import type { ITable } from 'aws-cdk-lib/aws-dynamodb';
import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { JobsConfig } from '../../core/config/deploy-config.ts';
import { FUNCTIONS, type FunctionDefinition, type FunctionName } from '../../core/functions/functions.ts';
import type { MetricsLevel } from '../../core/functions/metrics-level.ts';
import type { ModelQueueName, PayloadKind, Permissions } from '../../core/functions/permissions.ts';
import {
  type FunctionSettings,
  type ModelQueues,
  renderPackagedSettings,
  renderSettings,
} from '../../core/functions/settings.ts';
import type { Grants } from '../../core/identity/grants.ts';
import type { CacheScope } from '../../core/results/cache-scope.ts';
import { grantList, grantListDue, grantRecords } from '../data/jobs-table.ts';
import { grantListKeys, grantObjects } from '../data/payload-bucket.ts';
import { topLevelStackOf } from '../limits/stack-size.ts';
import type { Model } from '../packaging/model.ts';
import { grantByModel } from '../security/grant-by-model.ts';
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
  /** Folder for function packages. */
  readonly workDirectory: string;
}

/** Model whose queues a function uses; undefined for the queues of every model. */
type Scope = Model | undefined;

/** Settings of the deployment that a function reads from its environment and from its package. */
export interface RenderedSettings {
  readonly environment: Readonly<Record<string, string>>;
  /** Text of the file of settings in the package; undefined if there is none. */
  readonly packaged: string | undefined;
}

/**
 * Renders the settings that a function needs, and no others.
 *
 * @param own - The function's model, if it has one.
 */
export function jobSettings(name: FunctionName, parts: JobParts, own?: Model): RenderedSettings {
  const { settings, settingsWithJobs }: FunctionDefinition = FUNCTIONS[name];
  const { required, optional = [] } = settingsWithJobs ?? settings;
  const named = new Set<string>([...required, ...optional]);
  const all = Object.entries(settingsOfJobs(parts, own));
  const needed: Partial<FunctionSettings> = Object.fromEntries(all.filter(([setting]) => named.has(setting)));
  return { environment: renderSettings(needed), packaged: renderPackagedSettings(needed) };
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
  if (permissions.findsQueues === true) parts.queues.grantFind(grantee);
  if (permissions.notifies === true) parts.events.bus.grantPutEventsTo(grantee);
}

/** Collects every setting of jobs for one function. */
function settingsOfJobs(parts: JobParts, own: Scope): Partial<FunctionSettings> {
  const { config, queues } = parts;
  return {
    stage: parts.stageName,
    metricsNamespace: parts.metricsNamespace,
    metrics: parts.metrics,
    cacheScope: parts.cacheScope,
    jobsTable: parts.jobsTable.tableName,
    webhooksTable: parts.webhooksTable.tableName,
    payloadBucket: parts.payloadBucket.bucketName,
    ownJobsQueue: own && urlsOf(queues, own)?.jobs,
    ownQueues: own && urlsOf(queues, own),
    queuesPath: queues.path,
    modelIds: [...queues.models.keys()],
    taskModels: parts.taskModels,
    modelAliases: parts.modelAliases,
    batchesQueue: urlOf(queues.shared.batches),
    webhooksQueue: urlOf(queues.shared.webhooks),
    lostJobsQueue: urlOf(queues.shared['lost-jobs']),
    deadLettersQueue: urlOf(queues.shared['dead-letters']),
    jobsQueue: urlOf(queues.shared.jobs),
    eventBus: parts.events.bus.eventBusName,
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

function urlsOf(queues: JobQueues, { id }: Model): ModelQueues | undefined {
  const own = queues.models.get(id);
  return own && { jobs: urlOf(own.jobs), chunks: urlOf(own.chunks) };
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
  const { inspects = [], inspectsModels = [], sendsToModels = [] } = permissions;
  const ofNotifier = permissions.notifies === true ? [queues.shared.webhooks, ...queues.replies.values()] : [];
  grantOn(
    grantee,
    'sqs:GetQueueAttributes',
    inspects.map((name) => queues.shared[name]),
  );
  grantOn(grantee, 'sqs:SendMessage', [...permissions.sends.map((name) => queues.shared[name]), ...ofNotifier]);
  grantOnModels(grantee, queues, own, [
    { action: 'sqs:SendMessage', kinds: sendsToModels },
    { action: 'sqs:GetQueueAttributes', kinds: inspectsModels },
  ]);
}

/** Actions on queues of models. */
interface ModelQueueGrant {
  readonly action: string;
  readonly kinds: readonly ModelQueueName[];
}

/** Grants actions on the queues of one model, or of every model. */
function grantOnModels(grantee: IGrantable, queues: JobQueues, own: Scope, grants: readonly ModelQueueGrant[]): void {
  for (const { action, kinds } of grants) {
    const granted = queuesOf(queues, own).map(([id, one]) => [id, kinds.map((kind) => one[kind])] as const);
    if (own !== undefined) {
      const ofModel = granted.flatMap(([, one]) => one);
      grantOn(grantee, action, ofModel);
      continue;
    }
    const arns = granted.map(([id, one]) => [id, one.map((queue) => arnFor(grantee, queue))] as const);
    grantByModel(grantee, action, new Map(arns));
  }
}

function grantOn(grantee: IGrantable, action: string, queues: readonly IQueue[]): void {
  if (queues.length === 0) return;
  const resourceArns = [...new Set(queues)].map((queue) => arnFor(grantee, queue));
  Grant.addToPrincipal({ grantee, actions: [action], resourceArns });
}

/**
 * Returns the URL of a queue, which any stack computes from the name: the ARN comes from it too, so that each queue needs one
 * of the 200 outputs of its stack. CloudFormation does not document `Fn::Split` of another stack's output, which would find
 * the name in the URL.
 */
function urlOf({ queueName }: IQueue): string {
  return `https://sqs.${Aws.REGION}.${Aws.URL_SUFFIX}/${Aws.ACCOUNT_ID}/${queueName}`;
}

/** Returns the ARN of a queue as the stack of a grantee writes it: another stack computes it from the name. */
function arnFor({ grantPrincipal: principal }: IGrantable, queue: IQueue): string {
  if (!Construct.isConstruct(principal) || topLevelStackOf(principal) === topLevelStackOf(queue)) return queue.queueArn;
  return Stack.of(principal).formatArn({ service: 'sqs', resource: queue.queueName });
}
