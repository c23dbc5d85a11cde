import { createRequire } from 'node:module';

/** A table as dynalite keeps it. */
export interface StoredTable {
  readonly KeySchema: readonly { readonly AttributeName: string }[];
}

/** A JSON object of DynamoDB's wire protocol. */
export type Wire = Record<string, unknown>;

/** An iterator of LevelDB. It keeps the table as it was when the iterator was opened, until it is closed. */
interface LevelIterator {
  close(): Promise<void>;
}

/** LevelDB, in memory. */
interface LevelDb {
  close(callback: (error?: Error | null) => void): void;
  keys(options?: unknown): LevelIterator;
  values(options?: unknown): LevelIterator;
}

/** Dynalite's store. */
export interface Store {
  readonly db: LevelDb;
  getTable(name: string, callback: (error: Error | null, table: StoredTable) => void): void;
}

/** An error of the API, for the client. */
export interface ApiError extends Error {
  readonly statusCode: number;
  readonly body: Wire;
}

type Action = (store: Store, input: Wire, callback: (error: Error | null, output: Wire) => void) => void;

interface Rules {
  readonly types: unknown;
  readonly custom?: unknown;
}

interface Database {
  create(options: { createTableMs: number; deleteTableMs: number; updateTableMs: number }): Store;
  checkConditional(input: Wire, existing: Wire | undefined): Error | null | undefined;
}

interface Validations {
  checkTypes(input: Wire, types: unknown): Wire;
  checkValidations(input: Wire, types: unknown, custom: unknown, store: Store): void;
}

/** Name of an operation that the engine knows. */
export type EngineOperation =
  | 'BatchGetItem'
  | 'BatchWriteItem'
  | 'CreateTable'
  | 'DeleteItem'
  | 'DeleteTable'
  | 'DescribeTable'
  | 'GetItem'
  | 'ListTables'
  | 'ListTagsOfResource'
  | 'PutItem'
  | 'Query'
  | 'Scan'
  | 'TagResource'
  | 'UntagResource'
  | 'UpdateItem'
  | 'UpdateTable';

const { database, validations, actions } = createRequire(import.meta.url)('./dynalite-modules.cjs') as {
  readonly database: Database;
  readonly validations: Validations;
  readonly actions: Readonly<Record<string, { readonly run: Action; readonly rules: Rules }>>;
};

const ACTIONS = new Map(Object.entries(actions));

/** Opens an empty store whose tables are usable immediately. */
export function openStore(): Store {
  const store = database.create({ createTableMs: 0, deleteTableMs: 0, updateTableMs: 0 });
  closeIterators(store.db);
  return store;
}

/**
 * Makes dynalite close its iterators. Version 4.0.0 ends them by the method `return`, which iterators of LevelDB do not
 * have: every Query and every Scan left one open, with all items of that moment.
 */
function closeIterators(db: LevelDb): void {
  const [keys, values] = [db.keys.bind(db), db.values.bind(db)];
  db.keys = (options) => withReturn(keys(options));
  db.values = (options) => withReturn(values(options));
}

function withReturn(iterator: LevelIterator): LevelIterator {
  return Object.assign(iterator, { return: () => iterator.close() });
}

/** Returns whether the engine knows an operation. */
export function isEngineOperation(operation: string): operation is EngineOperation {
  return ACTIONS.has(operation);
}

/**
 * Validates the input of an operation as DynamoDB does.
 *
 * @returns The input in dynalite's parsed form, which {@link perform} takes.
 * @throws ApiError with DynamoDB's own words.
 */
export function validate(store: Store, operation: EngineOperation, input: Wire): Wire {
  const { rules } = actionOf(operation);
  // Dynalite changes what it is given.
  const checked = validations.checkTypes(structuredClone(input), rules.types);
  validations.checkValidations(checked, rules.types, rules.custom, store);
  return checked;
}

/** Performs an operation on validated input. */
export function perform(store: Store, operation: EngineOperation, validated: Wire): Promise<Wire> {
  return new Promise((resolve, reject) => {
    actionOf(operation).run(store, validated, (error, output) => (error ? reject(error) : resolve(output)));
  });
}

/** Returns whether the condition of a validated write holds for the item that is there. */
export function conditionHolds(validated: Wire, existing: Wire | undefined): boolean {
  return !database.checkConditional(validated, existing);
}

/** Reads a table's description. */
export function readTable(store: Store, name: string): Promise<StoredTable> {
  return new Promise((resolve, reject) => {
    store.getTable(name, (error, table) => (error ? reject(error) : resolve(table)));
  });
}

/** Returns whether an error is one of the API, for the client. */
export function isApiError(error: unknown): error is ApiError {
  return error instanceof Error && 'statusCode' in error && 'body' in error;
}

/** Creates an error that DynamoDB returns with status 400. */
export function apiError(type: string, message: string, members: Wire = {}): ApiError {
  return Object.assign(new Error(message), { statusCode: 400, body: { __type: type, message, ...members } });
}

function actionOf(operation: EngineOperation): { run: Action; rules: Rules } {
  const action = ACTIONS.get(operation);
  if (action === undefined) throw apiError('com.amazon.coral.service#UnknownOperationException', operation);
  return action;
}
