import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { CloudFormationCustomResourceCreateEvent } from 'aws-lambda';
import * as v from 'valibot';
import { localArn } from '../../template/account.ts';
import type { CustomAttributes } from '../../template/custom-attributes.ts';
import type { CustomResourcePlan } from '../../template/plan-custom-resources.ts';
import type { NotRun } from '../../template/plan-functions.ts';
import { errorOf } from '../lambda/invocation.ts';
import type { LambdaHost } from '../lambda/lambda-host.ts';

const responseSchema = v.object({
  Status: v.picklist(['SUCCESS', 'FAILED']),
  Reason: v.optional(v.string()),
  Data: v.optional(v.record(v.string(), v.unknown()), {}),
});

type CustomResourceResponse = v.InferOutput<typeof responseSchema>;

/**
 * Creates the custom resources of an app, as CloudFormation does: it invokes the function of each with a URL, and the
 * function puts its response there.
 *
 * @param attributes - Receives what the functions return.
 * @returns The resources that could not be created.
 * @see https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html
 */
export async function createCustomResources(
  resources: readonly CustomResourcePlan[],
  host: Pick<LambdaHost, 'invoke'>,
  attributes: CustomAttributes,
): Promise<readonly NotRun[]> {
  if (resources.length === 0) return [];
  await using responses = await ResponseServer.listen();
  const notRun: NotRun[] = [];
  for (const resource of resources) {
    const response = await create(resource, host, responses);
    if (response.Status === 'SUCCESS') attributes.set(resource.stack, resource.logicalId, response.Data);
    else notRun.push({ resource: resource.logicalId, type: resource.type, reason: response.Reason ?? 'it failed' });
  }
  return notRun;
}

async function create(
  { stack, logicalId, type, functionArn, properties }: CustomResourcePlan,
  host: Pick<LambdaHost, 'invoke'>,
  responses: ResponseServer,
): Promise<CustomResourceResponse> {
  const requestId = randomUUID();
  const event: CloudFormationCustomResourceCreateEvent = {
    RequestType: 'Create',
    ServiceToken: functionArn,
    ResponseURL: responses.urlOf(requestId),
    StackId: localArn('cloudformation', `stack/${stack}/local`),
    RequestId: requestId,
    LogicalResourceId: logicalId,
    ResourceType: type,
    ResourceProperties: { ...properties, ServiceToken: functionArn },
  };
  const { outcome } = await host.invoke({ functionName: functionArn, payload: JSON.stringify(event), nested: true });
  const response = responses.take(requestId);
  if (response !== undefined) return response;
  const reason =
    outcome.kind === 'failed'
      ? `its function failed: ${errorOf(outcome.payload).errorMessage}`
      : 'its function sent no response';
  return { Status: 'FAILED', Reason: reason, Data: {} };
}

/** The URLs to which functions send their responses, instead of Amazon S3. */
class ResponseServer implements AsyncDisposable {
  readonly #server = createServer((request, response) => {
    void text(request).then((body) => {
      this.#bodies.set(request.url?.slice(1) ?? '', body);
      response.end();
    });
  });
  readonly #bodies = new Map<string, string>();

  static async listen(): Promise<ResponseServer> {
    const responses = new ResponseServer();
    responses.#server.listen(0, '127.0.0.1');
    await once(responses.#server, 'listening');
    return responses;
  }

  urlOf(requestId: string): string {
    const { port } = this.#server.address() as AddressInfo;
    return `http://127.0.0.1:${port}/${requestId}`;
  }

  /** The response to a request; undefined if there is none, or none that CloudFormation would accept. */
  take(requestId: string): CustomResourceResponse | undefined {
    try {
      return v.parse(responseSchema, JSON.parse(this.#bodies.get(requestId) ?? ''));
    } catch {
      return undefined;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}
