import {
  DeleteItemCommand,
  type DynamoDBClient,
  GetItemCommand,
  type KeysAndAttributes,
  PutItemCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import type { Clock } from '../../../core/clock.ts';
import { AppError } from '../../../core/errors.ts';
import type { Redrive } from '../../../core/jobs/dead-letter.ts';
import {
  isExpired,
  isFinal,
  type Job,
  type JobDefinition,
  type JobError,
  type JobKey,
  type JobOutcome,
  type JobReference,
  retentionMsOf,
} from '../../../core/jobs/job.ts';
import type {
  Claim,
  ClaimOptions,
  FinishOptions,
  FoundJob,
  JobPage,
  JobQuery,
  JobStore,
  Notified,
} from '../../../core/jobs/job-store.ts';
import { JOBS_TABLE, jobsTableKeys } from '../../../core/jobs/jobs-table.ts';
import { tombstoneOf } from '../../../core/retention/tombstone.ts';
import { type Item, toItem } from '../aws/attribute-value.ts';
import { batchGet } from '../aws/batch-get.ts';
import { callAws } from '../aws/client-settings.ts';
import { type ConditionalWrite, writeIf } from '../aws/conditional-write.ts';
import {
  absent,
  type Change,
  canceled,
  claimed,
  deletable,
  expired,
  failedOnce,
  finished,
  namesIn,
  notified,
  released,
  reopened,
  replaceable,
  updateInput,
} from './job-changes.ts';
import { CLAIM, CLAIMED_AT, deletionOf, jobItemKey, queuedItem, readJob } from './job-item.ts';
import { listJobs } from './list-jobs.ts';

/** Dependencies of {@link openDynamoDbJobStore}. */
export interface DynamoDbJobStoreOptions {
  readonly client: DynamoDBClient;
  /** Name of the jobs table. */
  readonly table: string;
  readonly clock: Clock;
}

type Projection = Pick<KeysAndAttributes, 'ProjectionExpression' | 'ExpressionAttributeNames'>;

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
    return (await this.lookUp(key)).job;
  }

  async lookUp(key: JobKey): Promise<FoundJob> {
    const command = new GetItemCommand({ TableName: this.#table, Key: jobItemKey(key), ConsistentRead: true });
    const { Item: item } = await callAws(TABLE, () => this.#client.send(command));
    return { job: this.#present(item), deletedAtMs: deletionOf(item) };
  }

  async remove(key: JobKey): Promise<number | Job | undefined> {
    const nowMs = this.#clock.now();
    const { condition, values } = deletable(nowMs);
    const command = new PutItemCommand({
      TableName: this.#table,
      Item: toItem(tombstoneOf('job', key, nowMs)),
      ConditionExpression: condition,
      ExpressionAttributeNames: namesIn(condition),
      ExpressionAttributeValues: values,
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
    });
    const { isDone, item } = await writeIf(TABLE, async () => {
      await this.#client.send(command);
      return undefined;
    });
    return isDone ? nowMs : (deletionOf(item) ?? this.#present(item));
  }

  async getAll(keys: readonly JobKey[]): Promise<readonly (Job | undefined)[]> {
    return (await this.#readAll(keys)).map((item) => this.#present(item));
  }

  async attempts(keys: readonly JobKey[]): Promise<readonly number[]> {
    const projection = `#${JOBS_TABLE.partitionKey}, #attempts`;
    const items = await this.#readAll(keys, {
      ProjectionExpression: projection,
      ExpressionAttributeNames: namesIn(projection),
    });
    return items.map((item) => Number(item?.['attempts']?.N ?? 0));
  }

  removeExpired(key: JobKey): Promise<void> {
    return this.#delete(key, expired(this.#clock.now()));
  }

  async create(definition: JobDefinition, redrive?: Redrive): Promise<Job | undefined> {
    if (!this.#mayCreate(definition, redrive)) return this.get(definition);
    const created = queuedItem(definition, this.#clock.now());
    const { condition, values } = absent(definition, this.#clock.now());
    const command = new PutItemCommand({
      TableName: this.#table,
      Item: created,
      ConditionExpression: condition,
      ExpressionAttributeNames: namesIn(condition),
      ExpressionAttributeValues: values,
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
    });
    const { item } = await writeIf(TABLE, async () => {
      await this.#client.send(command);
      return created;
    });
    return deletionOf(item) === undefined ? readJob(item ?? created) : undefined;
  }

  async claim(definition: JobDefinition, options: ClaimOptions): Promise<Claim> {
    for (let attempt = 0; attempt < MAX_CLAIMS; attempt++) {
      const mayCreate = this.#mayCreate(definition, options.redrive);
      const change = claimed(definition, options, this.#clock.now(), mayCreate);
      const { isDone, item } = await this.#change(definition, change);
      if (isDone && item !== undefined) return { kind: 'claimed', job: readJob(item) };
      if (item !== undefined && this.#present(item) !== undefined) return refusedClaim(item, definition, options);
      if (!mayCreate || definition.createdAtMs <= (deletionOf(item) ?? 0)) return { kind: 'gone' };
      await this.#makeRoom(definition);
    }
    throw new AppError('UNAVAILABLE', 'the record of the job cannot be claimed right now');
  }

  async finish(job: JobReference, outcome: JobOutcome, options?: FinishOptions): Promise<Job | undefined> {
    const { item } = await this.#change(job, finished(job, outcome, this.#clock.now(), options));
    return this.#ofJob(job, item);
  }

  async release(job: JobReference, claimId: string, error: JobError): Promise<Job | undefined> {
    const { item } = await this.#change(job, released(job, claimId, error, this.#clock.now()));
    return this.#ofJob(job, item);
  }

  async noteError(job: JobReference, error: JobError): Promise<void> {
    await this.#change(job, failedOnce(job, error));
  }

  async cancel(job: JobReference): Promise<Job | undefined> {
    const { item } = await this.#change(job, canceled(job, this.#clock.now()));
    return this.#ofJob(job, item);
  }

  async markNotified(job: Job, how: Notified): Promise<void> {
    await this.#change(job, notified(job, how, this.#clock.now()));
  }

  async reopen(definition: JobDefinition, redrive: Redrive): Promise<void> {
    await this.#change(definition, reopened(definition, redrive, this.#clock.now()));
  }

  list(query: JobQuery): Promise<JobPage> {
    const place = { client: this.#client, table: this.#table, nowMs: this.#clock.now() };
    return callAws(TABLE, () => listJobs(query, place));
  }

  /** Reads the items of jobs, in the order of the keys. */
  async #readAll(keys: readonly JobKey[], projection: Projection = {}): Promise<readonly (Item | undefined)[]> {
    const unique = new Map(keys.map((key) => [jobsTableKeys.job(key), jobItemKey(key)]));
    const items = await batchGet({ client: this.#client, table: this.#table, what: TABLE }, [...unique.values()], {
      ...projection,
      ConsistentRead: true,
    });
    const found = new Map(items.map((item) => [item[JOBS_TABLE.partitionKey]?.S, item]));
    return keys.map((key) => found.get(jobsTableKeys.job(key)));
  }

  /** An expired record counts as deleted. */
  #present(item: Item | undefined): Job | undefined {
    const job = item === undefined || deletionOf(item) !== undefined ? undefined : readJob(item);
    return job === undefined || isExpired(job, this.#clock.now()) ? undefined : job;
  }

  /** The record of another job with the same id counts as absent. */
  #ofJob({ hash }: JobReference, item: Item | undefined): Job | undefined {
    const job = this.#present(item);
    return job?.hash === hash ? job : undefined;
  }

  /**
   * Whether a message may create the record of its job. The record of a complete job is kept at least until its own
   * messages may not any more, so that no message runs a job again that was deleted. A redrive starts a new time.
   */
  #mayCreate(definition: JobDefinition, redrive?: Redrive): boolean {
    const { createdAtMs } = definition;
    const startMs = Math.max(createdAtMs, redrive?.sentAtMs ?? createdAtMs);
    return this.#clock.now() < startMs + retentionMsOf(definition);
  }

  #change(key: JobKey, change: Change): Promise<ConditionalWrite> {
    const command = new UpdateItemCommand(updateInput(this.#table, key, change));
    return writeIf(TABLE, async () => (await this.#client.send(command)).Attributes);
  }

  /** Deletes an expired record, and the tombstone of a job that was submitted and deleted before. */
  #makeRoom(definition: JobDefinition): Promise<void> {
    const old = expired(this.#clock.now());
    const deleted = replaceable(definition);
    const condition = `(${old.condition}) OR ${deleted.condition}`;
    return this.#delete(definition, { condition, values: { ...old.values, ...deleted.values } });
  }

  async #delete(key: JobKey, { condition, values }: Pick<Change, 'condition' | 'values'>): Promise<void> {
    const command = new DeleteItemCommand({
      TableName: this.#table,
      Key: jobItemKey(key),
      ConditionExpression: condition,
      ExpressionAttributeNames: namesIn(condition),
      ExpressionAttributeValues: values,
    });
    await writeIf(TABLE, async () => {
      await this.#client.send(command);
      return undefined;
    });
  }
}

/** Why a claim changed nothing: if the SDK repeats a write, it finds the claim that the first of them made. */
function refusedClaim(item: Item, { hash }: JobDefinition, { claimId }: ClaimOptions): Claim {
  const job = readJob(item);
  if (job.hash !== hash) return { kind: 'foreign' };
  if (isFinal(job.status)) return { kind: 'ended', job };
  if (item[CLAIM]?.S === claimId) return { kind: 'claimed', job };
  return { kind: 'spent', job, claimedAtMs: Number(item[CLAIMED_AT]?.N ?? 0) };
}
