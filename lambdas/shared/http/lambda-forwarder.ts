import { InvokeCommand, LambdaClient, type LambdaClientConfig } from '@aws-sdk/client-lambda';
import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda';
import { AppError } from '../../../core/errors.ts';

/** Hands an event on to another function, and returns its answer. */
export type Forward = (target: string, event: APIGatewayProxyEvent) => Promise<APIGatewayProxyResult>;

/**
 * Opens the way to other functions.
 *
 * @param config - Where Lambda is, and who asks; by default what the SDK finds in the environment.
 * @returns A function that throws AppError `UNAVAILABLE` when the other function has no room, `BAD_GATEWAY` when it
 * does not answer properly.
 */
export function openLambdaForwarder(config: LambdaClientConfig = {}): Forward {
  const client = new LambdaClient({ maxAttempts: 2, ...config });
  return async (target, event) => {
    const { FunctionError, Payload } = await invoke(client, target, event);
    if (FunctionError !== undefined) throw new AppError('BAD_GATEWAY', 'the function of the model failed');
    return readAnswer(Payload);
  };
}

async function invoke(client: LambdaClient, target: string, event: APIGatewayProxyEvent) {
  try {
    return await client.send(new InvokeCommand({ FunctionName: target, Payload: Buffer.from(JSON.stringify(event)) }));
  } catch (cause) {
    const isFull = cause instanceof Error && cause.name === 'TooManyRequestsException';
    if (isFull) throw new AppError('UNAVAILABLE', 'the function of the model has no room right now', { cause });
    throw new AppError('BAD_GATEWAY', 'the function of the model cannot be reached', { cause });
  }
}

function readAnswer(payload: Uint8Array | undefined): APIGatewayProxyResult {
  const answer: unknown = JSON.parse(Buffer.from(payload ?? []).toString() || 'null');
  const isAnswer = typeof answer === 'object' && answer !== null && 'statusCode' in answer && 'body' in answer;
  if (!isAnswer) throw new AppError('BAD_GATEWAY', 'the function of the model gave no answer');
  return answer as APIGatewayProxyResult;
}
