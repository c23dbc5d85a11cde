import type { Permissions, SharedQueueName } from './permissions.ts';
import type { SettingsOfFunction } from './settings.ts';

/** When a function runs by itself. */
export interface FunctionSchedule {
  /** Minutes between two invocations. */
  readonly everyMinutes: number;
}

/** How a function consumes a queue. */
export interface QueueConsumption {
  readonly queue: SharedQueueName;
  /** Maximum number of messages of one invocation. */
  readonly batchSize: number;
  /** Maximum number of concurrent invocations. */
  readonly maxConcurrency: number;
}

/** Definition of a function: the properties that deployment, code and checks share. */
export interface FunctionDefinition {
  /** Description, one sentence; for a function of one model, the model's id is appended. */
  readonly description: string;
  /** Memory in MiB; `manifest` when the manifest of its model says how much. */
  readonly memoryMiB: number | 'manifest';
  /** Maximum duration of one invocation in seconds; `manifest` when the manifest of its model says how long. */
  readonly timeoutSeconds: number | 'manifest';
  /** Settings that it reads from its environment. */
  readonly settings: SettingsOfFunction;
  /**
   * Settings that it reads if the deployment has jobs.
   *
   * @default - nothing
   */
  readonly settingsWithJobs?: SettingsOfFunction;
  /**
   * The queue without a model that it consumes.
   *
   * @default - none
   */
  readonly consumes?: QueueConsumption;
  /**
   * When it runs by itself.
   *
   * @default - only when something invokes it
   */
  readonly schedule?: FunctionSchedule;
  /** Permissions on the resources of jobs. */
  readonly permissions: Permissions;
}

/** Memory of a function that waits for AWS most of its time. */
const SMALL_MEMORY_MIB = 512;

/** Maximum duration of a function behind the API: as long as API Gateway waits. */
const API_TIMEOUT_SECONDS = 29;

/** Maximum duration of a function that works on few messages of a queue. */
const QUEUE_TIMEOUT_SECONDS = 60;

/** Settings of `serve-model`. They are separate so that its cold start does not load the rest of the table. */
export const SERVE_MODEL_SETTINGS = {
  required: ['stage', 'metricsNamespace', 'metrics'],
  optional: ['resultsTable', 'cacheScope', 'endpoint', 'functionsPath', 'siblings', 'modelAliases'],
} as const satisfies SettingsOfFunction;

/** Settings of a function that submits its own requests as jobs. */
export const SUBMISSION_SETTINGS = {
  required: ['jobsTable', 'payloadBucket', 'ownJobsQueue', 'retentionDays'],
} as const satisfies SettingsOfFunction;

// Each function is a constant of its own, so that a bundle holds its own entry only.

/** Serves one model behind the API. */
export const SERVE_MODEL = {
  description: 'Serves the model',
  memoryMiB: 'manifest',
  timeoutSeconds: 'manifest',
  settings: SERVE_MODEL_SETTINGS,
  settingsWithJobs: SUBMISSION_SETTINGS,
  permissions: {
    records: ['GetItem', 'BatchGetItem', 'PutItem'],
    recordKinds: ['job'],
    objects: { jobs: ['GetObject', 'PutObject'], results: ['GetObject'] },
    sends: [],
    sendsToModels: ['jobs'],
  },
} as const satisfies FunctionDefinition;

/** Accepts the events of producers. */
export const ACCEPT_JOBS = {
  description: 'Accepts jobs that producers sent to the queue',
  memoryMiB: SMALL_MEMORY_MIB,
  timeoutSeconds: QUEUE_TIMEOUT_SECONDS,
  settings: {
    required: [
      'stage',
      'metricsNamespace',
      'metrics',
      'jobsTable',
      'payloadBucket',
      'queuesPath',
      'modelIds',
      'taskModels',
      'deadLettersQueue',
      'jobsQueue',
      'producerGrants',
      'retentionDays',
    ],
    optional: ['modelAliases'],
  },
  consumes: { queue: 'jobs', batchSize: 10, maxConcurrency: 10 },
  permissions: {
    records: ['GetItem', 'PutItem'],
    recordKinds: ['job', 'file'],
    objects: { jobs: ['PutObject'] },
    findsQueues: true,
    sends: ['dead-letters'],
    sendsToModels: ['jobs'],
  },
} as const satisfies FunctionDefinition;

/** Runs the jobs and chunks of one model. */
export const RUN_JOBS = {
  description: 'Runs jobs of the model',
  memoryMiB: 'manifest',
  timeoutSeconds: 'manifest',
  settings: {
    required: [
      'stage',
      'metricsNamespace',
      'metrics',
      'jobsTable',
      'payloadBucket',
      'ownQueues',
      'batchesQueue',
      'webhooksQueue',
      'deadLettersQueue',
      'eventBus',
      'queuesPath',
      'maxReceiveCount',
    ],
    optional: ['resultsTable', 'cacheScope', 'endpoint'],
  },
  permissions: {
    records: ['GetItem', 'BatchGetItem', 'PutItem', 'UpdateItem', 'DeleteItem'],
    objects: {
      jobs: ['GetObject'],
      results: ['GetObject', 'PutObject'],
      files: ['GetObject'],
      chunks: ['GetObject', 'PutObject'],
    },
    listsObjects: true,
    readsInputBuckets: true,
    findsQueues: true,
    sends: ['batches', 'dead-letters'],
    sendsToModels: ['jobs', 'chunks'],
    notifies: true,
  },
} as const satisfies FunctionDefinition;

/** Fails jobs and chunks that no worker completed. */
export const FAIL_LOST_JOBS = {
  description: 'Fails jobs that no worker completed',
  memoryMiB: SMALL_MEMORY_MIB,
  timeoutSeconds: QUEUE_TIMEOUT_SECONDS,
  settings: {
    required: [
      'stage',
      'metricsNamespace',
      'metrics',
      'jobsTable',
      'payloadBucket',
      'queuesPath',
      'batchesQueue',
      'webhooksQueue',
      'deadLettersQueue',
      'lostJobsQueue',
      'eventBus',
    ],
  },
  consumes: { queue: 'lost-jobs', batchSize: 10, maxConcurrency: 5 },
  permissions: {
    records: ['GetItem', 'PutItem', 'UpdateItem'],
    objects: { jobs: ['GetObject'], results: ['GetObject'] },
    findsQueues: true,
    sends: ['batches', 'dead-letters'],
    notifies: true,
  },
} as const satisfies FunctionDefinition;

/** Splits batches, merges their outputs, and assembles uploads. */
export const PROCESS_BATCHES = {
  description: 'Splits files of batches into chunks and puts the results together',
  // A step holds up to a part of 32 MiB.
  memoryMiB: 1024,
  // A step uses all of its time if there is more to do.
  timeoutSeconds: 300,
  settings: {
    required: [
      'stage',
      'metricsNamespace',
      'metrics',
      'jobsTable',
      'payloadBucket',
      'queuesPath',
      'modelIds',
      'taskModels',
      'batchesQueue',
      'webhooksQueue',
      'deadLettersQueue',
      'eventBus',
      'fileRetentionDays',
      'maxReceiveCount',
    ],
    optional: ['modelAliases'],
  },
  consumes: { queue: 'batches', batchSize: 1, maxConcurrency: 10 },
  permissions: {
    records: ['GetItem', 'PutItem', 'UpdateItem', 'BatchGetItem'],
    objects: {
      files: ['GetObject', 'PutObject', 'DeleteObject', 'AbortMultipartUpload'],
      chunks: ['GetObject', 'PutObject', 'DeleteObject'],
    },
    listsObjects: true,
    // Only webhooks are notified of batches.
    findsQueues: true,
    sends: ['batches', 'webhooks', 'dead-letters'],
    sendsToModels: ['chunks'],
  },
} as const satisfies FunctionDefinition;

/** Delivers webhooks. */
export const DELIVER_WEBHOOKS = {
  description: 'Delivers webhooks, one attempt for each message',
  memoryMiB: SMALL_MEMORY_MIB,
  timeoutSeconds: QUEUE_TIMEOUT_SECONDS,
  settings: {
    required: [
      'stage',
      'metricsNamespace',
      'metrics',
      'jobsTable',
      'webhooksTable',
      'webhooksQueue',
      'deadLettersQueue',
      'retentionDays',
      'webhookConcurrency',
    ],
  },
  consumes: { queue: 'webhooks', batchSize: 10, maxConcurrency: 40 },
  permissions: {
    records: ['GetItem', 'PutItem'],
    recordKinds: ['subscriptions'],
    webhooks: ['GetItem', 'PutItem', 'UpdateItem'],
    objects: {},
    sends: ['webhooks', 'dead-letters'],
  },
} as const satisfies FunctionDefinition;

/** Settles jobs and batches that nothing else will settle. */
export const SWEEP_RECORDS = {
  description: 'Settles jobs and batches whose messages are gone, and deletes what has expired',
  memoryMiB: SMALL_MEMORY_MIB,
  // Shorter than the time between two sweeps.
  timeoutSeconds: 240,
  settings: {
    required: [
      'stage',
      'metricsNamespace',
      'metrics',
      'jobsTable',
      'payloadBucket',
      'queuesPath',
      'lostJobsQueue',
      'batchesQueue',
      'webhooksQueue',
      'eventBus',
    ],
  },
  schedule: { everyMinutes: 5 },
  permissions: {
    records: ['GetItem', 'UpdateItem', 'DeleteItem'],
    listsDueRecords: true,
    objects: {
      jobs: ['GetObject', 'DeleteObject'],
      results: ['GetObject', 'DeleteObject'],
      files: ['DeleteObject'],
      chunks: ['DeleteObject'],
    },
    listsObjects: true,
    findsQueues: true,
    sends: ['batches'],
    inspects: ['lost-jobs', 'batches'],
    inspectsModels: ['jobs', 'chunks'],
    notifies: true,
  },
} as const satisfies FunctionDefinition;

/** Serves the API's routes of jobs and webhooks. */
export const SERVE_JOBS = {
  description: 'Answers requests about jobs and webhooks',
  memoryMiB: SMALL_MEMORY_MIB,
  timeoutSeconds: API_TIMEOUT_SECONDS,
  settings: {
    required: [
      'stage',
      'metricsNamespace',
      'metrics',
      'jobsTable',
      'webhooksTable',
      'payloadBucket',
      'queuesPath',
      'modelIds',
      'taskModels',
      'webhooksQueue',
      'eventBus',
      'retentionDays',
    ],
    optional: ['modelAliases'],
  },
  permissions: {
    records: ['GetItem', 'PutItem', 'UpdateItem', 'BatchGetItem'],
    listsRecords: true,
    webhooks: ['GetItem', 'PutItem', 'UpdateItem', 'DeleteItem'],
    objects: { jobs: ['GetObject', 'PutObject', 'DeleteObject'], results: ['GetObject', 'DeleteObject'] },
    listsObjects: true,
    findsQueues: true,
    sends: ['webhooks'],
    sendsToModels: ['jobs'],
    notifies: true,
  },
} as const satisfies FunctionDefinition;

/** Serves the API's routes of files, uploads and batches. */
export const SERVE_BATCHES = {
  description: 'Answers requests about files, uploads and batches',
  memoryMiB: SMALL_MEMORY_MIB,
  timeoutSeconds: API_TIMEOUT_SECONDS,
  settings: {
    required: [
      'stage',
      'metricsNamespace',
      'metrics',
      'jobsTable',
      'payloadBucket',
      'batchesQueue',
      'modelIds',
      'taskModels',
      'fileRetentionDays',
      'maxFileBytes',
      'webhooksTable',
    ],
    optional: ['modelAliases'],
  },
  permissions: {
    records: ['GetItem', 'PutItem', 'UpdateItem', 'BatchGetItem'],
    listsRecords: true,
    webhooks: ['PutItem'],
    objects: {
      files: ['GetObject', 'PutObject', 'DeleteObject', 'AbortMultipartUpload'],
      chunks: ['GetObject', 'PutObject', 'DeleteObject'],
    },
    listsObjects: true,
    sends: ['batches'],
  },
} as const satisfies FunctionDefinition;

/** Identifies the callers of the API. */
export const AUTHORIZE = {
  description: 'Identifies the caller of a request by its API key',
  // It computes next to nothing; memory brings the share of a processor that starts it quickly.
  memoryMiB: SMALL_MEMORY_MIB,
  timeoutSeconds: 5,
  settings: { required: ['acceptedHeaders'] },
  permissions: { records: [], objects: {}, sends: [] },
} as const satisfies FunctionDefinition;

/** Hashes the API keys of a deployment. CloudFormation calls it, and no request waits for it. */
export const HASH_KEYS = {
  description: 'Hashes the API keys of the deployment for the authorizer',
  memoryMiB: SMALL_MEMORY_MIB,
  // API Gateway accepts ten calls a second for the whole account, so calls may have to wait.
  timeoutSeconds: 120,
  settings: { required: [] },
  permissions: { records: [], objects: {}, sends: [] },
} as const satisfies FunctionDefinition;

/** Every function of the product by name. The name is its folder in `lambdas/` and that of its bundle. */
export const FUNCTIONS = {
  'serve-model': SERVE_MODEL,
  'accept-jobs': ACCEPT_JOBS,
  'run-jobs': RUN_JOBS,
  'fail-lost-jobs': FAIL_LOST_JOBS,
  'process-batches': PROCESS_BATCHES,
  'deliver-webhooks': DELIVER_WEBHOOKS,
  'sweep-records': SWEEP_RECORDS,
  'serve-jobs': SERVE_JOBS,
  'serve-batches': SERVE_BATCHES,
  authorize: AUTHORIZE,
  'hash-keys': HASH_KEYS,
} as const satisfies Record<string, FunctionDefinition>;

/** Name of a function. */
export type FunctionName = keyof typeof FUNCTIONS;

/** Names of the functions that consume a queue without a model. */
export type ConsumerName = {
  [name in FunctionName]: (typeof FUNCTIONS)[name] extends { consumes: QueueConsumption } ? name : never;
}[FunctionName];

/** Names of the functions that run by themselves. */
export type ScheduledName = {
  [name in FunctionName]: (typeof FUNCTIONS)[name] extends { schedule: FunctionSchedule } ? name : never;
}[FunctionName];
