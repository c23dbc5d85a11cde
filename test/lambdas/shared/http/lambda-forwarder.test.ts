import { afterEach, describe, expect, it } from '@jest/globals';
import { openLambdaForwarder } from '../../../../lambdas/shared/http/lambda-forwarder.ts';
import { postEvent } from '../../events.ts';
import { type Answer, reply, startServer, type TestServer } from '../results/dynamodb-server.ts';

const ALIAS = 'arn:aws:lambda:us-east-1:000000000000:function:other:live';
const EVENT = postEvent('/v1/embeddings', { model: 'other', input: 'x' });

describe('openLambdaForwarder', () => {
  let server: TestServer | undefined;
  afterEach(async () => {
    await server?.close();
  });
  const forwarderTo = async (answer: Answer) => {
    server = await startServer(answer);
    return openLambdaForwarder(server.client);
  };

  it('invokes the function with the event, and returns its response', async () => {
    const answer = { statusCode: 200, headers: { 'x-model-id': 'other' }, body: '{}' };
    let got: unknown;
    const forward = await forwarderTo((_, input, response) => {
      got = input;
      reply(response, 200, answer);
    });
    expect(await forward(ALIAS, EVENT)).toEqual(answer);
    expect(got).toEqual(EVENT);
    expect(server?.operations.map(decodeURIComponent)[0]).toMatch(/invocations$/);
  });

  it.each<[string, string, Answer]>([
    [
      'UNAVAILABLE',
      'the function is throttled',
      (_, __, response) => {
        response.setHeader('x-amzn-errortype', 'TooManyRequestsException');
        reply(response, 429, { message: 'Rate Exceeded' });
      },
    ],
    [
      'BAD_GATEWAY',
      'the function failed',
      (_, __, response) => {
        response.setHeader('x-amz-function-error', 'Unhandled');
        reply(response, 200, { errorMessage: 'secret' });
      },
    ],
    [
      'BAD_GATEWAY',
      'the function returns no response',
      (_, __, response) => reply(response, 200, { errorMessage: 'x' }),
    ],
    ['BAD_GATEWAY', 'the call is not allowed', (_, __, response) => reply(response, 403, { Message: 'no' })],
  ])('fails with %s when %s', async (code, _, answer) => {
    const forward = await forwarderTo(answer);
    await expect(forward(ALIAS, EVENT)).rejects.toMatchObject({ code });
  });
});
