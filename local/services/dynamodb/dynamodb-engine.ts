import type { Clock } from '../../../core/clock.ts';
import type { TablePlan } from '../../template/plan-tables.ts';
import {
  apiError,
  type EngineOperation,
  isApiError,
  isEngineOperation,
  openStore,
  perform,
  readTable,
  validate,
  type Wire,
} from './dynalite.ts';
import { currentItem, keyOf } from './items.ts';
import { transactGet, transactWrite } from './transactions.ts';
import { WriteLock } from './write-lock.ts';

const WRITES = new Set(['PutItem', 'UpdateItem', 'DeleteItem', 'BatchWriteItem', 'TransactWriteItems']);

type Operation = (input: Wire) => Promise<Wire>;

/** DynamoDB in memory: dynalite's engine, with transactions, times to live and old items on failed conditions added. */
export class DynamoDbEngine implements AsyncDisposable {
  readonly #store = openStore();
  readonly #clock: Clock;
  readonly #lock = new WriteLock();
  readonly #timeToLive = new Map<string, string>();
  readonly #partitionKeys = new Map<string, string>();
  /** Calls in progress. */
  readonly #running = new Set<Promise<Wire>>();
  #isClosed = false;
  readonly #own: Readonly<Record<string, Operation>> = {
    UpdateTimeToLive: (input) => this.#updateTimeToLive(input),
    DescribeTimeToLive: (input) => this.#describeTimeToLive(input),
    TransactWriteItems: (input) => transactWrite(this.#store, input),
    TransactGetItems: (input) => transactGet(this.#store, input),
    PutItem: (input) => this.#conditional('PutItem', input),
    UpdateItem: (input) => this.#conditional('UpdateItem', input),
    DeleteItem: (input) => this.#conditional('DeleteItem', input),
  };

  /** @param clock - Decides which items have expired. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Performs an operation of DynamoDB's API.
   *
   * @param operation - Its name: `PutItem`.
   * @param input - Its input in DynamoDB's JSON.
   * @returns Its output. A rejection that `isApiError` recognizes is DynamoDB's own error.
   */
  async call(operation: string, input: Wire): Promise<Wire> {
    if (this.#isClosed) throw new Error('the tables are closed');
    const running = this.#perform(operation, input);
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }

  /** Name of the partition key of a table of the template. */
  partitionKeyOf(table: string): string | undefined {
    return this.#partitionKeys.get(table);
  }

  /** Creates a table of the template. */
  async createTable(table: TablePlan): Promise<void> {
    await this.call('CreateTable', table.create);
    this.#partitionKeys.set(table.name, partitionKeyIn(table.create));
    if (table.timeToLiveAttribute !== undefined) this.#timeToLive.set(table.name, table.timeToLiveAttribute);
  }

  /**
   * Deletes every item whose time to live has passed; DynamoDB does so within days, local mode each minute.
   *
   * @returns How many items it deleted.
   */
  async sweep(): Promise<number> {
    let deleted = 0;
    for (const [table, attribute] of this.#timeToLive) deleted += await this.#sweepTable(table, attribute);
    return deleted;
  }

  /**
   * Refuses further calls, waits for those in progress, and frees the memory. A Query or a Scan that finds its store closed
   * throws outside of every promise, which would end the process.
   */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.allSettled(this.#running);
    await new Promise<void>((resolve) => this.#store.db.close(() => resolve()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #perform(operation: string, input: Wire): Promise<Wire> {
    const run = this.#own[operation] ?? (isEngineOperation(operation) ? this.#engine(operation) : undefined);
    if (run === undefined) throw apiError('com.amazon.coral.service#UnknownOperationException', operation);
    return WRITES.has(operation) ? this.#lock.run(() => run(input)) : run(input);
  }

  #engine(operation: EngineOperation): Operation {
    return async (input) => perform(this.#store, operation, validate(this.#store, operation, input));
  }

  async #conditional(operation: EngineOperation, input: Wire): Promise<Wire> {
    try {
      return await this.#engine(operation)(input);
    } catch (error) {
      const failed = isApiError(error) && String(error.body['__type']).endsWith('#ConditionalCheckFailedException');
      if (!failed || input['ReturnValuesOnConditionCheckFailure'] !== 'ALL_OLD') throw error;
      const table = String(input['TableName']);
      error.body['Item'] = await currentItem(this.#store, table, await keyOf(this.#store, table, input));
      throw error;
    }
  }

  async #updateTimeToLive(input: Wire): Promise<Wire> {
    const table = String(input['TableName']);
    await readTable(this.#store, table);
    const specification = (input['TimeToLiveSpecification'] ?? {}) as Wire;
    if (specification['Enabled'] === true) this.#timeToLive.set(table, String(specification['AttributeName']));
    else this.#timeToLive.delete(table);
    return { TimeToLiveSpecification: specification };
  }

  async #describeTimeToLive(input: Wire): Promise<Wire> {
    const table = String(input['TableName']);
    await readTable(this.#store, table);
    const attribute = this.#timeToLive.get(table);
    return {
      TimeToLiveDescription:
        attribute === undefined
          ? { TimeToLiveStatus: 'DISABLED' }
          : { TimeToLiveStatus: 'ENABLED', AttributeName: attribute },
    };
  }

  async #sweepTable(table: string, attribute: string): Promise<number> {
    const expired = {
      TableName: table,
      FilterExpression: '#expiry < :now',
      ExpressionAttributeNames: { '#expiry': attribute },
      ExpressionAttributeValues: { ':now': { N: String(Math.floor(this.#clock.now() / 1000)) } },
    };
    let deleted = 0;
    let from: unknown;
    do {
      const page: Wire = await this.call('Scan', {
        ...expired,
        ExclusiveStartKey: from,
      });
      for (const item of (page['Items'] ?? []) as Wire[]) {
        await this.call('DeleteItem', { TableName: table, Key: await keyOf(this.#store, table, { Item: item }) });
        deleted += 1;
      }
      from = page['LastEvaluatedKey'];
    } while (from !== undefined);
    return deleted;
  }
}

function partitionKeyIn({ KeySchema: schema }: Wire): string {
  const keys = Array.isArray(schema) ? (schema as readonly Readonly<Record<string, unknown>>[]) : [];
  return String(keys.find(({ KeyType: type }) => type === 'HASH')?.['AttributeName']);
}
