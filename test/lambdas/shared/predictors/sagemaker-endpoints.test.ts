import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SageMakerRuntimeClient } from '@aws-sdk/client-sagemaker-runtime';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { codecOf } from '../../../../core/sagemaker/container-codec.ts';
import { MAX_INVOCATION_BYTES } from '../../../../core/sagemaker/endpoint-contract.ts';
import {
  openSageMakerEndpoints,
  type SageMakerEndpoints,
} from '../../../../lambdas/shared/predictors/sagemaker-endpoints.ts';
import { openSageMakerPredictor } from '../../../../lambdas/shared/predictors/sagemaker-predictor.ts';
import { clientFor } from '../results/dynamodb-server.ts';

const MESSAGE = { contentType: 'text/plain', body: Buffer.from('hello') };

/** Handlers of the next requests; the last one handles all later requests. */
let answers: ((request: IncomingMessage, response: ServerResponse, body: Buffer) => void)[];
let requests: IncomingMessage[];
let nowMs: number;
let client: SageMakerRuntimeClient;
let endpoints: SageMakerEndpoints;
let close: () => Promise<void>;

beforeEach(async () => {
  requests = [];
  nowMs = 0;
  answers = [(_, response, body) => response.setHeader('content-type', 'text/plain').end(body)];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    requests.push(request);
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    answer?.(request, response, Buffer.concat(chunks));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  client = new SageMakerRuntimeClient({
    ...clientFor(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
    maxAttempts: 1,
  });
  endpoints = openSageMakerEndpoints({ name: 'tiny', clock: { now: () => nowMs }, client, random: () => 0 });
  close = async () => {
    client.destroy();
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  };
});
afterEach(() => close());

/** Fails as SageMaker does. */
function failing(status: number, type: string, body: object = {}) {
  return (_: IncomingMessage, response: ServerResponse) => {
    response
      .writeHead(status, { 'content-type': 'application/json', 'x-amzn-errortype': type })
      .end(JSON.stringify({ Message: 'secret input', ...body }));
  };
}

const dead = (request: IncomingMessage) => request.socket.destroy();

describe('openSageMakerEndpoints', () => {
  it('sends the bytes to the endpoint of the version, and returns its response', async () => {
    const answer = await endpoints.invoke('2', MESSAGE, 1000);
    expect(Buffer.from(answer.body).toString()).toBe('hello');
    expect(answer.contentType).toBe('text/plain');
    expect(requests[0]?.url).toBe('/endpoints/tiny-v2/invocations');
    expect(requests[0]?.headers).toMatchObject({
      'content-type': 'text/plain',
    });
  });

  it('waits without a limit when the request has no deadline', async () => {
    expect(await endpoints.invoke('1', MESSAGE, Number.POSITIVE_INFINITY)).toHaveProperty('contentType');
  });

  it.each([
    ['throttled', failing(400, 'ThrottlingException')],
    ['unavailable', failing(503, 'ServiceUnavailable')],
    ['cut off', dead],
    ['full', failing(424, 'ModelError', { OriginalStatusCode: 503 })],
  ])('sends a request again that was %s', async (_, fail) => {
    answers.unshift(fail);
    await expect(endpoints.invoke('1', MESSAGE, 1000)).resolves.toMatchObject({ contentType: 'text/plain' });
    expect(requests).toHaveLength(2);
  });

  it('does not retry when no time is left', async () => {
    answers.unshift(failing(503, 'ServiceUnavailable'));
    await expect(endpoints.invoke('1', MESSAGE, 40)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(requests).toHaveLength(1);
  });

  it.each([
    ['BAD_GATEWAY', failing(424, 'ModelError', { OriginalStatusCode: 500 })],
    ['BAD_GATEWAY', failing(424, 'ModelError', { OriginalStatusCode: 424 })],
    ['BAD_GATEWAY', failing(424, 'ModelError')],
    ['TIMEOUT', failing(424, 'ModelError', { OriginalStatusCode: 504 })],
    ['INVALID_TENSOR', failing(424, 'ModelError', { OriginalStatusCode: 400 })],
    ['INTERNAL', failing(400, 'AccessDeniedException')],
  ])('fails with %s immediately, without the message of the container', async (code, fail) => {
    answers = [fail];
    const failure = await endpoints.invoke('1', MESSAGE, 1000).catch((error: Error) => error);
    expect(failure).toMatchObject({ code, message: expect.not.stringContaining('secret') });
    expect(requests).toHaveLength(1);
  });

  describe('when the model refuses the inputs while it runs, which Triton reports with 500', () => {
    const failed = (values: string) =>
      `onnx runtime error 2: Non-zero status code returned while running Concat node. Name:'/c' Status Message: ${values}`;
    const refusing = (text: string) =>
      failing(424, 'ModelError', { OriginalStatusCode: 500, OriginalMessage: JSON.stringify({ error: text }) });
    const mismatch = refusing(failed('Axis 0 has mismatched dimensions of 2 and 1, got 77 in "my secret"'));

    it('passes the reason on without values, after a second attempt alone', async () => {
      answers = [mismatch];
      await expect(endpoints.invoke('1', MESSAGE, 1000)).rejects.toMatchObject({
        code: 'INVALID_TENSOR',
        message:
          "the model refused the inputs: its node Concat (/c) failed: Axis 0 has mismatched dimensions of 2 and 1, got … in '…'",
      });
      expect(requests).toHaveLength(2);
    });

    it('takes the second result, because the first may have been about another request in the same run', async () => {
      answers.unshift(mismatch);
      await expect(endpoints.invoke('1', MESSAGE, 1000)).resolves.toMatchObject({ contentType: 'text/plain' });
    });

    it('does not count it as a failure of the endpoint', async () => {
      const echo = answers[0] as (typeof answers)[number];
      answers = [mismatch];
      for (let calls = 0; calls < 6; calls++) await endpoints.invoke('1', MESSAGE, 1000).catch(() => undefined);
      answers = [echo];
      await expect(endpoints.invoke('1', MESSAGE, 1000)).resolves.toHaveProperty('contentType');
    });

    it('hides the reason of a model that accepts strings', async () => {
      answers = [refusing(failed('no number: my secret'))];
      const clock = { now: () => nowMs };
      const textual = openSageMakerEndpoints({ name: 'tiny', clock, client, random: () => 0, readsText: true });
      await expect(textual.invoke('1', MESSAGE, 1000)).rejects.toMatchObject({
        code: 'INVALID_TENSOR',
        message: 'the model refused the inputs: its node Concat (/c) failed',
      });
    });
  });

  it.each(['ValidationError', 'ValidationException'])(
    'reports that the endpoint is not in service for %s',
    async (type) => {
      answers = [failing(400, type)];
      await expect(endpoints.invoke('1', MESSAGE, 1000)).rejects.toMatchObject({
        code: 'UNAVAILABLE',
        message: expect.stringContaining('not in service'),
      });
    },
  );

  it('fails at the deadline, and does not retry', async () => {
    answers = [() => undefined];
    await expect(endpoints.invoke('1', MESSAGE, 60)).rejects.toMatchObject({ code: 'TIMEOUT' });
    expect(requests).toHaveLength(1);
  });

  it('refuses requests that SageMaker would refuse', async () => {
    const body = new Uint8Array(MAX_INVOCATION_BYTES + 1);
    await expect(endpoints.invoke('1', { contentType: '', body }, 1000)).rejects.toMatchObject({
      code: 'BODY_TOO_LARGE',
    });
    expect(requests).toHaveLength(0);
  });

  it('fails fast after five failures in a row, and tries the endpoint again after five seconds', async () => {
    const echo = answers[0];
    answers = [dead];
    for (let calls = 0; calls < 3; calls++) await endpoints.invoke('1', MESSAGE, 1000).catch(() => undefined);
    const sent = requests.length;
    nowMs += 1500;
    await expect(endpoints.invoke('1', MESSAGE, 1000)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: 'the endpoint failed 5 times in a row; the next attempt is in 4 s',
    });
    expect(requests).toHaveLength(sent);
    answers = echo === undefined ? [] : [echo];
    await expect(endpoints.invoke('2', MESSAGE, 1000)).resolves.toMatchObject({ contentType: 'text/plain' });
    nowMs += 3500;
    await expect(endpoints.invoke('1', MESSAGE, 1000)).resolves.toMatchObject({ contentType: 'text/plain' });
    await expect(endpoints.invoke('1', MESSAGE, 1000)).resolves.toMatchObject({ contentType: 'text/plain' });
  });

  it.each([
    ['refused tensors', failing(424, 'ModelError', { OriginalStatusCode: 400 }), 1],
    ['a full queue that the container reports with 503', failing(424, 'ModelError', { OriginalStatusCode: 503 }), 2],
    ['a full queue that the container reports with 429', failing(424, 'ModelError', { OriginalStatusCode: 429 }), 2],
    ['throttling by SageMaker', failing(400, 'ThrottlingException'), 2],
    ['a timeout in the container', failing(424, 'ModelError', { OriginalStatusCode: 504 }), 1],
  ])('keeps calling the endpoint after %s', async (_, fail, attempts) => {
    answers = [fail];
    for (let calls = 0; calls < 10; calls++) await endpoints.invoke('1', MESSAGE, 1000).catch(() => undefined);
    expect(requests).toHaveLength(10 * attempts);
  });

  it('keeps calling the endpoint when a caller had little time to wait', async () => {
    const echo = answers[0];
    answers = [() => undefined];
    for (let calls = 0; calls < 6; calls++) await endpoints.invoke('1', MESSAGE, 20).catch(() => undefined);
    answers = echo === undefined ? [] : [echo];
    await expect(endpoints.invoke('1', MESSAGE, 1000)).resolves.toMatchObject({ contentType: 'text/plain' });
  });

  it('counts a timeout as a failure when the endpoint had enough time', async () => {
    answers = [failing(424, 'ModelError', { OriginalStatusCode: 504 })];
    for (let calls = 0; calls < 10; calls++) await endpoints.invoke('1', MESSAGE, 28_000).catch(() => undefined);
    expect(requests).toHaveLength(5);
  });
});

describe('openSageMakerPredictor', () => {
  it('sends tensors to its version, with the time that the queue may take', async () => {
    const x = { datatype: 'FP32', shape: [1], data: new Float32Array([3]) } as const;
    const declared = { inputs: [{ name: 'x', datatype: 'FP32', shape: [-1] }], outputs: [] } as const;
    let timeout: unknown;
    answers = [
      (request, response, body) => {
        const size = Number(request.headers['content-type']?.split('=').at(-1));
        const { inputs, parameters } = JSON.parse(body.subarray(0, size).toString()) as {
          inputs: unknown;
          parameters: { timeout: number };
        };
        timeout = parameters.timeout;
        const header = Buffer.from(JSON.stringify({ outputs: inputs }));
        const type = `application/vnd.sagemaker-triton.binary+json;json-header-size=${header.length}`;
        response.setHeader('content-type', type).end(Buffer.concat([header, body.subarray(size)]));
      },
    ];
    const predictor = openSageMakerPredictor({
      endpoints,
      codec: codecOf({ target: 'sagemaker' }),
      version: '3',
      declared: { inputs: [...declared.inputs].map((one) => ({ ...one, shape: [...one.shape] })), outputs: [] },
    });
    expect(await predictor.run({ x })).toEqual({ x });
    expect(timeout).toBe(60_000_000);
    expect(requests[0]?.url).toBe('/endpoints/tiny-v3/invocations');
    await predictor.run({ x }, 500);
    expect(timeout).toBe(500_000);
    expect(predictor.inputs).toHaveLength(1);
  });
});
