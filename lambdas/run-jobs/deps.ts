import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { S3Client } from '@aws-sdk/client-s3';
import { SQSClient } from '@aws-sdk/client-sqs';
import type { RUN_JOBS } from '../../core/functions/functions.ts';
import type { SettingsOf } from '../../core/functions/settings.ts';
import type { PayloadStore } from '../../core/jobs/payload-store.ts';
import { CLIENT_SETTINGS, PAYLOAD_CLIENT_SETTINGS } from '../shared/aws/client-settings.ts';
import { openDeployedNames } from '../shared/aws/deployed-names.ts';
import { lazyEventBridge } from '../shared/aws/lazy-event-bridge.ts';
import { openChunkProgressStore } from '../shared/batches/chunk-progress-store.ts';
import { type DynamoDbStoreOptions, openDynamoDbChunkStore } from '../shared/batches/dynamodb-chunk-store.ts';
import type { InferenceDeps } from '../shared/inference/inference.ts';
import { openInference } from '../shared/inference/open-inference.ts';
import { openDynamoDbJobStore } from '../shared/jobs/dynamodb-job-store.ts';
import { openS3PayloadStore } from '../shared/jobs/s3-payload-store.ts';
import { openNotifier } from '../shared/notifications/notifier.ts';
import { openDeadLetters } from '../shared/queue/dead-letters.ts';
import { openQueueDirectory } from '../shared/queue/queue-directory.ts';
import { openSqsMessageQueue } from '../shared/queue/sqs-message-queue.ts';
import { openSqsWorkQueue } from '../shared/queue/sqs-work-queue.ts';
import { writeLine } from '../shared/telemetry/write-line.ts';
import { openDeadlineNotes } from './deadline-notes.ts';
import type { RunJobsHandlerDeps } from './handler.ts';
import { Watchdog } from './watchdog.ts';

/** Time that the table of results may take: a batch waits longer than a caller would. */
const READ_BUDGET_MS = 200;
const WRITE_BUDGET_MS = 500;

/** Options of {@link openDeps}. */
export interface OpenDepsOptions {
  /** Folder of the packed model. */
  readonly modelFolder: string;
  readonly settings: SettingsOf<typeof RUN_JOBS.settings>;
  /** Memory of the function; decides how many threads the model gets. */
  readonly memoryMiB: number;
  /** The bundled `watchdog-thread.ts`. */
  readonly watchdogFile: string;
}

/**
 * Opens the dependencies of messages: the model, the records, the payloads, the queues. It opens all of them
 * immediately, because no caller waits.
 *
 * @throws AppError `ONNX_INVALID` when the packed model cannot be used.
 */
export async function openDeps(options: OpenDepsOptions): Promise<RunJobsHandlerDeps> {
  const { settings, modelFolder, memoryMiB, watchdogFile } = options;
  const { resultsTable, endpoint } = settings;
  const starting = Watchdog.start(watchdogFile);
  const { deps: inference, takeCacheFailures } = await openInference({
    modelFolder,
    resultsTable,
    memoryMiB,
    endpoint,
    budgets: { readMs: READ_BUDGET_MS, writeMs: WRITE_BUDGET_MS },
  });
  const { ownQueues: queues } = settings;
  const { clock } = inference;
  const dynamoDb = new DynamoDBClient(CLIENT_SETTINGS);
  const sqs = new SQSClient(CLIENT_SETTINGS);
  const directory = openQueueDirectory(openDeployedNames({ clock }), settings.queuesPath);
  const watchdog = await starting;
  const open = (url: string) => openSqsWorkQueue(sqs, url, watchdog.holderOf(url));
  const payloads = openS3PayloadStore({
    client: new S3Client(PAYLOAD_CLIENT_SETTINGS),
    bucket: settings.payloadBucket,
  });
  const tableOptions = { client: dynamoDb, table: settings.jobsTable, clock };
  return {
    inference: { ...inference, cacheScope: settings.cacheScope },
    ...(await openAsyncRuns(inference, { name: endpoint, payloads, memoryMiB, table: tableOptions })),
    jobs: openDynamoDbJobStore(tableOptions),
    chunks: openDynamoDbChunkStore(tableOptions),
    progress: openChunkProgressStore(tableOptions),
    payloads,
    notes: openDeadlineNotes(watchdog, tableOptions),
    queues: { jobs: open(queues.jobs), chunks: open(queues.chunks) },
    batchSteps: openSqsMessageQueue({ client: sqs, url: settings.batchesQueue }),
    deadLetters: openDeadLetters(sqs, settings.deadLettersQueue),
    notifier: openNotifier({ settings, directory, dynamoDb, sqs, payloads, clock, eventBridge: lazyEventBridge() }),
    maxReceiveCount: settings.maxReceiveCount,
    random: Math.random,
    stage: settings.stage,
    metricsNamespace: settings.metricsNamespace,
    metrics: settings.metrics,
    write: writeLine,
    takeCacheFailures,
  };
}

interface AsyncRunsDeps {
  /** Name of the endpoint. */
  readonly name: string | undefined;
  readonly payloads: PayloadStore;
  readonly memoryMiB: number;
  /** The jobs table. */
  readonly table: DynamoDbStoreOptions;
}

/** Present only if the model runs on an asynchronous endpoint, because its client is loaded for that. */
async function openAsyncRuns({ packed }: InferenceDeps, options: AsyncRunsDeps) {
  const { name, payloads, memoryMiB, table } = options;
  const { compute } = packed.manifest;
  if (compute.target !== 'sagemaker' || compute.mode !== 'async' || name === undefined) return {};
  const [{ SageMakerRuntimeClient }, { openAsyncEndpoint }, { openDynamoDbOpenInvocations }, { AsyncRuns }] =
    await Promise.all([
      import('@aws-sdk/client-sagemaker-runtime'),
      import('../shared/predictors/async-endpoint.ts'),
      import('../shared/jobs/dynamodb-open-invocations.ts'),
      import('./async-runs.ts'),
    ]);
  const client = new SageMakerRuntimeClient(CLIENT_SETTINGS);
  const endpoint = openAsyncEndpoint({ client, name, payloads });
  return { asyncRuns: new AsyncRuns({ endpoint, payloads, open: openDynamoDbOpenInvocations(table), memoryMiB }) };
}
