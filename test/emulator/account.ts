import {
  GetAliasCommand,
  LambdaClient,
  ListFunctionsCommand,
  ResourceNotFoundException,
  UpdateAliasCommand,
} from '@aws-sdk/client-lambda';
import aws4 from 'aws4';
import { type Emulator, REGION } from './emulator.ts';

const CREDENTIALS = { accessKeyId: 'test', secretAccessKey: 'test' };

/** A request of AWS's own protocols. */
interface AwsRequest {
  readonly service: string;
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

/** The emulated account, as an operator sees it. */
export class Account {
  readonly #url: string;
  readonly #lambda: LambdaClient;

  constructor({ url }: Emulator) {
    this.#url = url;
    this.#lambda = new LambdaClient({ endpoint: url, region: REGION, credentials: CREDENTIALS });
  }

  /** Value of an API key. */
  async keyValue(id: string): Promise<string> {
    const text = await this.#call({ service: 'apigateway', path: `/apikeys/${id}?includeValue=true` });
    return (JSON.parse(text) as { readonly value: string }).value;
  }

  /**
   * Points the alias `live` of every function to the version before the current one, if there is one.
   *
   * @returns Function that points the aliases to the current versions again.
   */
  async rollBack(): Promise<() => Promise<void>> {
    const current = new Map<string, number>();
    for (const name of await this.#functionNames()) {
      const version = await this.#liveVersion(name);
      if (version === undefined || version < 2) continue;
      current.set(name, version);
      await this.#pointLive(name, version - 1);
    }
    if (current.size === 0) throw new Error('no function has an earlier version');
    return async () => {
      for (const [name, version] of current) await this.#pointLive(name, version);
    };
  }

  /** Lists the resources that cost money or hold data, without those of the bootstrap: `queue https://…`. */
  async resources(): Promise<string[]> {
    const sqs = { 'x-amz-target': 'AmazonSQS.ListQueues', 'content-type': 'application/x-amz-json-1.0' };
    const dynamodb = { 'x-amz-target': 'DynamoDB_20120810.ListTables', 'content-type': 'application/x-amz-json-1.0' };
    const logs = { 'x-amz-target': 'Logs_20140328.DescribeLogGroups', 'content-type': 'application/x-amz-json-1.1' };
    const post = { method: 'POST', body: '{}' };
    const [queues, tables, groups, apis, keys, buckets, functions] = await Promise.all([
      this.#call({ service: 'sqs', headers: sqs, ...post }),
      this.#call({ service: 'dynamodb', headers: dynamodb, ...post }),
      this.#call({ service: 'logs', headers: logs, ...post }),
      this.#call({ service: 'apigateway', path: '/restapis' }),
      this.#call({ service: 'apigateway', path: '/apikeys' }),
      this.#call({ service: 's3' }),
      this.#functionNames(),
    ]);
    const { QueueUrls = [] } = JSON.parse(queues) as { readonly QueueUrls?: readonly string[] };
    const { TableNames = [] } = JSON.parse(tables) as { readonly TableNames?: readonly string[] };
    const { logGroups = [] } = JSON.parse(groups) as { readonly logGroups?: readonly { logGroupName: string }[] };
    const items = (text: string) =>
      ((JSON.parse(text) as { item?: readonly { id: string }[] }).item ?? []).map(({ id }) => id);
    const bucketNames = [...buckets.matchAll(/<Name>([^<]+)<\/Name>/g)].map(([, name = '']) => name);
    const kinds = {
      queue: QueueUrls,
      table: TableNames,
      'log group': logGroups.map(({ logGroupName }) => logGroupName),
      API: items(apis),
      'API key': items(keys),
      bucket: bucketNames.filter((name) => !name.startsWith('cdk-')),
      function: functions,
    };
    return Object.entries(kinds).flatMap(([kind, names]) => names.map((name) => `${kind} ${name}`));
  }

  /** Returns the version that the alias `live` of a function points to. */
  async #liveVersion(FunctionName: string): Promise<number | undefined> {
    const command = new GetAliasCommand({ FunctionName, Name: 'live' });
    const alias = await this.#lambda.send(command).catch((error: unknown) => {
      if (error instanceof ResourceNotFoundException) return undefined;
      throw error;
    });
    return alias === undefined ? undefined : Number(alias.FunctionVersion);
  }

  async #pointLive(FunctionName: string, version: number): Promise<void> {
    await this.#lambda.send(new UpdateAliasCommand({ FunctionName, Name: 'live', FunctionVersion: String(version) }));
  }

  async #functionNames(): Promise<string[]> {
    const names: string[] = [];
    for (let Marker: string | undefined; ; ) {
      const page = await this.#lambda.send(new ListFunctionsCommand(Marker === undefined ? {} : { Marker }));
      names.push(...(page.Functions ?? []).map(({ FunctionName = '' }) => FunctionName));
      Marker = page.NextMarker;
      if (Marker === undefined || Marker === '') return names;
    }
  }

  async #call({ service, method = 'GET', path = '/', headers = {}, body }: AwsRequest): Promise<string> {
    const { host } = new URL(this.#url);
    const signed = aws4.sign(
      {
        service,
        region: REGION,
        method,
        path,
        host,
        headers: { ...headers, host },
        ...(body === undefined ? {} : { body }),
      },
      CREDENTIALS,
    );
    const response = await fetch(`${this.#url}${path}`, {
      method,
      headers: signed.headers as Record<string, string>,
      ...(body === undefined ? {} : { body }),
    });
    const text = await response.text();
    if (!response.ok)
      throw new Error(`${service} ${method} ${path} responded ${response.status}: ${text.slice(0, 300)}`);
    return text;
  }
}
