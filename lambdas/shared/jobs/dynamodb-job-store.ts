import {
  DeleteItemCommand,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import type { Clock } from '../../../core/clock.ts';
import { AppError } from '../../../core/errors.ts';
import type { Job, JobDefinition, JobError, JobKey, JobOutcome } from '../../../core/jobs/job.ts';
import type { Claim, JobPage, JobQuery, JobStore } from '../../../core/jobs/job-store.ts';
import { JOBS_TABLE, jobsTableKeys } from '../../../core/jobs/jobs-table.ts';
import { type Item, toItem } from '../aws/attribute-value.ts';
import { batchGet } from '../aws/batch-get.ts';
import { callAws } from '../aws/client-settings.ts';
import { type ConditionalWrite, writeIf } from '../aws/conditional-write.ts';
import { type Change, canceled, claimed, failedOnce, finished, namesIn, notified, reopened } from './job-changes.ts';
import { jobItemKey, queuedItem, readJob } from './job-item.ts';
import { listJobs } from './list-jobs.ts';

/** Dependencies of {@link openDynamoDbJobStore}. */
export interface DynamoDbJobStoreOptions {
  readonly client: DynamoDBClient;
  /** Name of the jobs table. */
  readonly table: string;
  readonly clock: Clock;
}

/** Name of the table in messages. */
const TABLE = 'the jobs table';

/** Attempts at a claim that finds an expired record, which is deleted first. */
const MAX_CLAIMS = 3;

/**
 * Opens the records of jobs in the jobs table.
 *
 * Every change is one conditional write, so that a change repeated by the SDK or by SQS has no effect. An expired record
 * counts as deleted, because DynamoDB deletes late.
 *
 * @returns A store whose methods throw AppError `UNAVAILABLE` if the table does not respond.
 */
export function openDynamoDbJobStore(options: DynamoDbJobStoreOptions): JobStore {
  return new DynamoDbJobStore(options);
}

class DynamoDbJobStore implements JobStore {
  readonly #client: DynamoDBClient;
  readonly #table: string;
  readonly #clock: Clock;

  constructor({ client, table, clock }: DynamoDbJobStoreOptions) {
    this.#client = client;
    this.#table = table;
    this.#clock = clock;
  }

  async get(key: JobKey): Promise<Job | undefined> {
    const command = new GetItemCommand({ TableName: this.#table, Key: jobItemKey(key), ConsistentRead: true });
    const { Item: item } = await callAws(TABLE, () => this.#client.send(command));
    return this.#present(item);
  }

  async attempts(keys: readonly JobKey[]): Promise<readonly number[]> {
    const unique = new Map(keys.map((key) => [jobsTableKeys.job(key), jobItemKey(key)]));
    const projection = `#${JOBS_TABLE.partitionKey}, #attempts`;
    const items = await batchGet({ client: this.#client, table: this.#table, what: TABLE }, [...unique.values()], {
      ConsistentRead: true,
      ProjectionExpression: projection,
      ExpressionAttributeNames: namesIn(projection),
    });
    const found = new Map(items.map((item) => [item[JOBS_TABLE.partitionKey]?.S, Number(item['attempts']?.N ?? 0)]));
    return keys.map((key) => found.get(jobsTableKeys.job(key)) ?? 0);
  }

  async create(definition: JobDefinition): Promise<Job> {
    const created = queuedItem(definition);
    const condition = 'attribute_not_exists(#hash) OR #expiresAtMs <= :now';
    const command = new PutItemCommand({
      TableName: this.#table,
      Item: created,
      ConditionExpression: condition,
      ExpressionAttributeNames: namesIn(condition),
      ExpressionAttributeValues: toItem({ ':now': this.#clock.now() }),
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
    });
    const { item } = await writeIf(TABLE, async () => {
      await this.#client.send(command);
      return created;
    });
    return readJob(item ?? created);
  }

  async claim(definition: JobDefinition): Promise<Claim> {
    for (let attempt = 0; attempt < MAX_CLAIMS; attempt++) {
      const { isDone, item } = await this.#change(definition, claimed(definition, this.#clock.now()));
      if (isDone && item !== undefined) return { kind: 'claimed', job: readJob(item) };
      const job = this.#present(item);
      if (job !== undefined) return job.hash === definition.hash ? { kind: 'ended', job } : { kind: 'foreign' };
      await this.#deleteExpired(definition);
    }
    throw new AppError('UNAVAILABLE', 'the record of the job cannot be claimed right now');
  }

  async finish(key: JobKey, outcome: JobOutcome): Promise<Job> {
    const { item } = await this.#change(key, finished(outcome, this.#clock.now()));
    if (item === undefined) throw new AppError('JOB_NOT_FOUND', 'the job that is to end has no record');
    return readJob(item);
  }

  async noteError(key: JobKey, error: JobError): Promise<void> {
    await this.#change(key, failedOnce(error));
  }

  async cancel(key: JobKey): Promise<Job | undefined> {
    const { item } = await this.#change(key, canceled(this.#clock.now()));
    return this.#present(item);
  }

  async markNotified(key: JobKey): Promise<void> {
    await this.#change(key, notified(this.#clock.now()));
  }

  async reopen(key: JobKey, redriveId: string): Promise<void> {
    await this.#change(key, reopened(redriveId));
  }

  list(query: JobQuery): Promise<JobPage> {
    const place = { client: this.#client, table: this.#table, nowMs: this.#clock.now() };
    return callAws(TABLE, () => listJobs(query, place));
  }

  /** An expired record counts as deleted. */
  #present(item: Item | undefined): Job | undefined {
    const job = item === undefined ? undefined : readJob(item);
    return job !== undefined && job.expiresAtMs > this.#clock.now() ? job : undefined;
  }

  #change(key: JobKey, { update, condition, values }: Change): Promise<ConditionalWrite> {
    const command = new UpdateItemCommand({
      TableName: this.#table,
      Key: jobItemKey(key),
      UpdateExpression: update,
      ConditionExpression: condition,
      ExpressionAttributeNames: namesIn(update, condition),
      ExpressionAttributeValues: values,
      ReturnValues: 'ALL_NEW',
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
    });
    return writeIf(TABLE, async () => (await this.#client.send(command)).Attributes);
  }

  async #deleteExpired(key: JobKey): Promise<void> {
    const condition = '#expiresAtMs <= :now';
    const command = new DeleteItemCommand({
      TableName: this.#table,
      Key: jobItemKey(key),
      ConditionExpression: condition,
      ExpressionAttributeNames: namesIn(condition),
      ExpressionAttributeValues: toItem({ ':now': this.#clock.now() }),
    });
    await writeIf(TABLE, async () => {
      await this.#client.send(command);
      return undefined;
    });
  }
}
