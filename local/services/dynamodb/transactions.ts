import {
  apiError,
  conditionHolds,
  type EngineOperation,
  isApiError,
  perform,
  type Store,
  validate,
  type Wire,
} from './dynalite.ts';
import { currentItem, keyOf } from './items.ts';

/** The operation that validates and applies each kind of step; a condition check is validated as a delete. */
const OPERATION_OF: Readonly<Record<string, EngineOperation>> = {
  Put: 'PutItem',
  Update: 'UpdateItem',
  Delete: 'DeleteItem',
  ConditionCheck: 'DeleteItem',
};

interface Step {
  readonly kind: string;
  readonly operation: EngineOperation;
  readonly input: Wire;
  readonly table: string;
  readonly key: Wire;
  readonly validated: Wire;
  readonly before: Wire | undefined;
}

interface Reason {
  readonly Code: string;
  readonly Message?: string;
  readonly Item?: Wire;
}

/** Writes all or nothing: checks every condition first, and puts old items back should a write fail half-way. */
export async function transactWrite(store: Store, input: Wire): Promise<Wire> {
  const steps = await readSteps(store, asList(input['TransactItems']));
  const reasons = steps.map(checkStep);
  if (reasons.some(({ Code: code }) => code !== 'None')) throw cancelled(reasons);
  const done: Step[] = [];
  for (const [index, step] of steps.entries()) {
    if (step.kind === 'ConditionCheck') continue;
    try {
      await perform(store, step.operation, validate(store, step.operation, step.input));
      done.push(step);
    } catch (error) {
      await rollBack(store, done);
      const message = isApiError(error) ? String(error.body['message'] ?? error.message) : 'internal failure';
      reasons[index] = { Code: 'ValidationError', Message: message };
      throw cancelled(reasons);
    }
  }
  return {};
}

/** Reads several items. */
export async function transactGet(store: Store, input: Wire): Promise<Wire> {
  const gets = asList(input['TransactItems']).map((item) => asObject(item['Get']));
  const outputs = await Promise.all(gets.map((get) => perform(store, 'GetItem', validate(store, 'GetItem', get))));
  return { Responses: outputs.map(({ Item: item }) => (item === undefined ? {} : { Item: item })) };
}

async function readSteps(store: Store, items: readonly Wire[]): Promise<Step[]> {
  const steps: Step[] = [];
  const seen = new Set<string>();
  for (const item of items) {
    const [kind = ''] = Object.keys(item);
    const operation = OPERATION_OF[kind];
    if (operation === undefined)
      throw validationError('TransactItems can only contain one of Check, Put, Update or Delete');
    const input = asObject(item[kind]);
    const table = String(input['TableName']);
    const validated = validate(store, operation, input);
    const key = await keyOf(store, table, input);
    const identity = `${table}/${JSON.stringify(key)}`;
    if (seen.has(identity)) throw validationError('Transaction request cannot include multiple operations on one item');
    seen.add(identity);
    steps.push({ kind, operation, input, table, key, validated, before: await currentItem(store, table, key) });
  }
  return steps;
}

function checkStep({ validated, before, input }: Step): Reason {
  if (conditionHolds(validated, before)) return { Code: 'None' };
  const wantsItem = input['ReturnValuesOnConditionCheckFailure'] === 'ALL_OLD' && before !== undefined;
  return {
    Code: 'ConditionalCheckFailed',
    Message: 'The conditional request failed',
    ...(wantsItem ? { Item: before } : {}),
  };
}

async function rollBack(store: Store, done: readonly Step[]): Promise<void> {
  for (const { table, key, before } of done.toReversed()) {
    const operation = before === undefined ? 'DeleteItem' : 'PutItem';
    const input = before === undefined ? { TableName: table, Key: key } : { TableName: table, Item: before };
    await perform(store, operation, validate(store, operation, input));
  }
}

function cancelled(reasons: readonly Reason[]): Error {
  const codes = reasons.map(({ Code: code }) => code).join(', ');
  return apiError(
    'com.amazonaws.dynamodb.v20120810#TransactionCanceledException',
    `Transaction cancelled, please refer cancellation reasons for specific reasons [${codes}]`,
    { CancellationReasons: reasons },
  );
}

function validationError(message: string): Error {
  return apiError('com.amazon.coral.validate#ValidationException', message);
}

function asList(value: unknown): Wire[] {
  if (!Array.isArray(value) || value.length === 0)
    throw validationError('TransactItems must contain at least one item');
  return value.map(asObject);
}

function asObject(value: unknown): Wire {
  if (typeof value === 'object' && value !== null) return value as Wire;
  throw validationError('TransactItems must contain objects');
}
