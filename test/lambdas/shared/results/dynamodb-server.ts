import { EventEmitter, once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { DynamoDBClientConfig } from '@aws-sdk/client-dynamodb';
import { RESULTS_TABLE } from '../../../../core/results/results-table.ts';
import type { SignedSettings } from '../../../../lambdas/shared/aws/signed-settings.ts';
import { isApiError, type Wire } from '../../../../local/services/dynamodb/dynalite.ts';
import { DynamoDbEngine } from '../../../../local/services/dynamodb/dynamodb-engine.ts';

/** Name of the table that the server holds. */
export const TABLE = 'results';

/** A server on a port of its own. */
export interface TestServer {
  /** Configuration with which a client of the AWS SDK reaches it. */
  readonly client: DynamoDBClientConfig & { readonly endpoint: string };
  /** The same for this product's own client. */
  readonly settings: SignedSettings;
  /** Operations requested so far. */
  readonly operations: string[];
  /** Operations completed so far. */
  readonly completed: string[];
  /** Waits until an operation has been answered, from now on. */
  seen(operation: string): Promise<void>;
  close(): Promise<void>;
}

/** A handler of operations. It may leave the response open. */
export type Answer = (operation: string, input: Wire, response: ServerResponse) => Promise<void> | void;

/** Starts a server that speaks the wire protocol of AWS's JSON services. */
export async function startServer(answer: Answer): Promise<TestServer> {
  const [operations, completed]: [string[], string[]] = [[], []];
  const answered = new EventEmitter();
  const server = createServer(async (request, response) => {
    const operation =
      String(request.headers['x-amz-target'] ?? request.url)
        .split('.')
        .at(-1) ?? '';
    operations.push(operation);
    await answer(operation, await readJson(request), response);
    completed.push(operation);
    answered.emit(operation);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    client: clientFor(`http://127.0.0.1:${port}`),
    settings: clientFor(`http://127.0.0.1:${port}`),
    operations,
    completed,
    seen: async (operation) => {
      await once(answered, operation);
    },
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Starts a server with DynamoDB's engine and an empty results table behind it. */
export async function startDynamoDb(): Promise<TestServer> {
  const engine = new DynamoDbEngine({ now: () => Date.now() });
  await engine.call('CreateTable', {
    TableName: TABLE,
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: [{ AttributeName: RESULTS_TABLE.partitionKey, AttributeType: 'S' }],
    KeySchema: [{ AttributeName: RESULTS_TABLE.partitionKey, KeyType: 'HASH' }],
  });
  // The engine makes the table usable in a later turn of the event loop.
  while (!(await isActive(engine))) await new Promise((resolve) => setImmediate(resolve));
  return startServer(async (operation, input, response) => {
    try {
      reply(response, 200, await engine.call(operation, input));
    } catch (error) {
      if (!isApiError(error)) throw error;
      reply(response, error.statusCode, error.body);
    }
  });
}

async function isActive(engine: DynamoDbEngine): Promise<boolean> {
  const { Table } = await engine.call('DescribeTable', { TableName: TABLE });
  return (Table as { readonly TableStatus?: string }).TableStatus === 'ACTIVE';
}

/** Writes a JSON answer. */
export function reply(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' }).end(JSON.stringify(body));
}

/** Settings of an SDK client for an endpoint. */
export function clientFor(endpoint: string) {
  return { endpoint, region: 'us-east-1', credentials: { accessKeyId: 'test', secretAccessKey: 'test' } };
}

async function readJson(request: IncomingMessage): Promise<Wire> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString() || '{}') as Wire;
}
