import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { APIGatewayProxyEvent } from 'aws-lambda';
import type { HttpHandler } from '../../../lambdas/shared/http/http-handler.ts';
import { gatewayEvent, lambdaContext } from '../events.ts';

/** A stand-in of the gateway: HTTP in front, events of proxy integrations behind. */
export interface Gateway {
  /** Address of the stage, without a slash at the end. */
  readonly url: string;
  /** Variables of the stage, in each event from now on. */
  stageVariables: Record<string, string>;
  close(): Promise<void>;
}

/** Path of the stage in front of the routes. */
const STAGE = '/dev';

/** Routes that take everything below them. */
const GREEDY = /^(\/v1\/(?:files|uploads|batches|usage))(?:\/(.+))?$/;

/** Starts a server that turns requests into the events that API Gateway makes of them; the API key's id is the key. */
export async function startGateway(handler: HttpHandler): Promise<Gateway> {
  const server = createServer(async (request, response) => {
    await answer({ ...(await eventOf(request)), stageVariables: gateway.stageVariables }, handler, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const gateway: Gateway = {
    stageVariables: {},
    url: `http://127.0.0.1:${port}${STAGE}`,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return gateway;
}

async function answer(event: APIGatewayProxyEvent, handler: HttpHandler, response: ServerResponse) {
  const { statusCode, headers, body } = await handler(event, lambdaContext());
  const entries = Object.entries(headers ?? {}).map(([name, value]) => [name, String(value)]);
  response.writeHead(statusCode, Object.fromEntries(entries)).end(body);
}

async function eventOf(request: IncomingMessage): Promise<APIGatewayProxyEvent> {
  const { pathname, searchParams } = new URL(request.url ?? '', 'http://gateway');
  const [, base = '', proxy] = GREEDY.exec(pathname.slice(STAGE.length)) ?? [];
  const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
  const bytes = await readAll(request);
  // The gateway takes forms for binary data, and hands everything else on as text.
  const isBase64Encoded = headers['content-type']?.startsWith('multipart/form-data') === true;
  const event = gatewayEvent(proxy === undefined ? base : `${base}/{proxy+}`, {
    headers,
    httpMethod: request.method ?? 'GET',
    pathParameters: proxy === undefined ? null : { proxy },
    body: bytes.length === 0 ? null : bytes.toString(isBase64Encoded ? 'base64' : 'utf8'),
    isBase64Encoded,
    ...(headers['x-api-key'] === undefined ? {} : { apiKeyId: headers['x-api-key'] }),
  });
  const query = Object.fromEntries(searchParams);
  return {
    ...event,
    // Headers as they came: no content type is added.
    headers,
    queryStringParameters: Object.keys(query).length === 0 ? null : query,
    requestContext: { ...event.requestContext, path: pathname },
  };
}

async function readAll(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
