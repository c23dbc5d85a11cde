import { InvokeCommand, LambdaClient, type LambdaClientConfig } from '@aws-sdk/client-lambda';
import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda';
import { AppError } from '../../../core/errors.ts';

/**
 * Forwards an event to another function, and returns its response.
 *
 * @param target - The function: an ARN of its alias for the client, the id of its model for the routes.
 */
export type Forward = (target: string, event: APIGatewayProxyEvent) => Promise<APIGatewayProxyResult>;

/**
 * Opens the client that forwards events.
 *
 * @param config - Endpoint and credentials of Lambda. By default, the SDK reads them from the environment.
 * @returns A function that throws AppError `UNAVAILABLE` when the other function is throttled, `BAD_GATEWAY` when it
 * fails or returns no valid response.
 */
export function openLambdaForwarder(config: LambdaClientConfig = {}): Forward {
  const client = new LambdaClient({ maxAttempts: 2, ...config });
  return async (target, event) => {
    const { FunctionError, Payload } = await invoke(client, target, event);
    if (FunctionError !== undefined) throw new AppError('BAD_GATEWAY', 'the function of the model failed');
    return readResponse(Payload);
  };
}

async function invoke(client: LambdaClient, target: string, event: APIGatewayProxyEvent) {
  try {
    return await client.send(new InvokeCommand({ FunctionName: target, Payload: Buffer.from(JSON.stringify(event)) }));
  } catch (cause) {
    const isThrottled = cause instanceof Error && cause.name === 'TooManyRequestsException';
    if (isThrottled) {
      throw new AppError('UNAVAILABLE', 'the function of the model is throttled; retry after 1 s', { cause });
    }
    throw new AppError('BAD_GATEWAY', 'the function of the model cannot be invoked', { cause });
  }
}

function readResponse(payload: Uint8Array | undefined): APIGatewayProxyResult {
  const response: unknown = JSON.parse(Buffer.from(payload ?? []).toString() || 'null');
  const isResponse =
    typeof response === 'object' && response !== null && 'statusCode' in response && 'body' in response;
  if (!isResponse) throw new AppError('BAD_GATEWAY', 'the function of the model returned no valid response');
  return response as APIGatewayProxyResult;
}
