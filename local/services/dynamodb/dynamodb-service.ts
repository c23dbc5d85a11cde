import { crc32 } from 'node:zlib';
import type { AwsRequest, AwsResponse, AwsService } from '../../aws/aws-service.ts';
import type { IamRequest } from '../../iam/policy.ts';
import { localArn } from '../../template/account.ts';
import { isApiError, type Wire } from './dynalite.ts';
import type { DynamoDbEngine } from './dynamodb-engine.ts';

/** Permission that each step of a transaction needs. */
const TRANSACTION_ACTIONS: Readonly<Record<string, string>> = {
  ConditionCheck: 'dynamodb:ConditionCheckItem',
  Delete: 'dynamodb:DeleteItem',
  Get: 'dynamodb:GetItem',
  Put: 'dynamodb:PutItem',
  Update: 'dynamodb:UpdateItem',
};

/** DynamoDB's JSON protocol before the engine. */
export class DynamoDbService implements AwsService {
  readonly signingName = 'dynamodb';
  readonly #engine: DynamoDbEngine;

  constructor(engine: DynamoDbEngine) {
    this.#engine = engine;
  }

  permissions(request: AwsRequest): readonly IamRequest[] | undefined {
    const operation = operationOf(request);
    const input = inputOf(request);
    if (operation === undefined) return undefined;
    const action = `dynamodb:${operation}`;
    if (operation.startsWith('Transact')) return this.#ofTransaction(input ?? {});
    const { RequestItems: items, TableName: table, IndexName: index, ResourceArn: arn } = input ?? {};
    if (isObject(items)) {
      return Object.entries(items).map(([name, one]) => this.#permission(action, name, keysInBatch(one)));
    }
    if (typeof arn === 'string') return [{ action, resource: arn }];
    if (typeof table !== 'string') return [{ action, resource: '*' }];
    const path = typeof index === 'string' ? `/index/${index}` : '';
    return [this.#permission(action, table, keysIn(input ?? {}), path)];
  }

  #ofTransaction(input: Wire): IamRequest[] {
    const items = Array.isArray(input['TransactItems']) ? input['TransactItems'].filter(isObject) : [];
    return items.flatMap((item) =>
      Object.entries(item).map(([kind, step]) => {
        const action = TRANSACTION_ACTIONS[kind] ?? `dynamodb:${kind}`;
        if (!isObject(step)) return { action, resource: tableArn('*') };
        return this.#permission(action, String(step['TableName']), keysIn(step));
      }),
    );
  }

  /** @param items - The keys of the items, or the items that are put. */
  #permission(action: string, table: string, items: readonly Wire[], path = ''): IamRequest {
    const resource = `${tableArn(table)}${path}`;
    const partitionKey = this.#engine.partitionKeyOf(table.split('/').at(-1) ?? table) ?? '';
    const leadingKeys = items.flatMap((item) =>
      isObject(item[partitionKey]) ? Object.values(item[partitionKey]) : [],
    );
    if (leadingKeys.length === 0) return { action, resource };
    return { action, resource, context: { 'dynamodb:leadingkeys': leadingKeys.map(String) } };
  }

  async respond(request: AwsRequest): Promise<AwsResponse> {
    const input = inputOf(request);
    if (input === undefined) return json(400, { __type: 'com.amazon.coral.service#SerializationException' });
    try {
      return json(200, await this.#engine.call(operationOf(request) ?? '', withTableNames(input)));
    } catch (error) {
      if (isApiError(error)) return json(error.statusCode, error.body);
      return json(500, {
        __type: 'com.amazonaws.dynamodb.v20120810#InternalServerError',
        message: error instanceof Error ? error.message : 'unexpected failure',
      });
    }
  }

  /** DynamoDB returns every error of the caller with status 400. */
  error(status: number, type: string, message: string): AwsResponse {
    return json(status < 500 ? 400 : status, { __type: `com.amazon.coral.service#${type}`, Message: message });
  }
}

function operationOf(request: AwsRequest): string | undefined {
  const target = request.headers['x-amz-target'];
  return typeof target === 'string' ? /^DynamoDB_20120810\.(\w+)$/.exec(target)?.[1] : undefined;
}

function inputOf(request: AwsRequest): Wire | undefined {
  try {
    const value: unknown = JSON.parse(request.body.toString());
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Keys of the items of a call about one table. Queries and scans name none. */
function keysIn({ Key: key, Item: item }: Wire): Wire[] {
  return [key, item].filter(isObject);
}

/** Keys of the items of one table in a batch: a list of keys to read, or of items to write. */
function keysInBatch(requests: unknown): Wire[] {
  const keys = isObject(requests) && Array.isArray(requests['Keys']) ? requests['Keys'] : [];
  const writes = Array.isArray(requests) ? requests.filter(isObject).flatMap(Object.values).filter(isObject) : [];
  return [...keys.filter(isObject), ...writes.flatMap(keysIn)];
}

/** A table may be named by its ARN, which the engine does not know. */
function withTableNames(input: Wire): Wire {
  const { TableName: table } = input;
  return typeof table === 'string' && table.startsWith('arn:') ? { ...input, TableName: table.split('/')[1] } : input;
}

function tableArn(nameOrArn: string): string {
  return nameOrArn.startsWith('arn:') ? nameOrArn : localArn('dynamodb', `table/${nameOrArn}`);
}

function json(status: number, value: Wire): AwsResponse {
  const body = JSON.stringify(value);
  return {
    status,
    headers: { 'content-type': 'application/x-amz-json-1.0', 'x-amz-crc32': String(crc32(body)) },
    body,
  };
}

function isObject(value: unknown): value is Wire {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
