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
    if (operation.startsWith('Transact')) return transactionPermissions(input ?? {});
    const { RequestItems: items, TableName: table, IndexName: index, ResourceArn: arn } = input ?? {};
    if (isObject(items)) return Object.keys(items).map((name) => ({ action, resource: tableArn(name) }));
    if (typeof arn === 'string') return [{ action, resource: arn }];
    if (typeof table !== 'string') return [{ action, resource: '*' }];
    const path = typeof index === 'string' ? `/index/${index}` : '';
    return [{ action, resource: `${tableArn(table)}${path}` }];
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

function transactionPermissions(input: Wire): IamRequest[] {
  const items = Array.isArray(input['TransactItems']) ? input['TransactItems'].filter(isObject) : [];
  return items.flatMap((item) =>
    Object.entries(item).map(([kind, step]) => ({
      action: TRANSACTION_ACTIONS[kind] ?? `dynamodb:${kind}`,
      resource: tableArn(isObject(step) ? String(step['TableName']) : '*'),
    })),
  );
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
