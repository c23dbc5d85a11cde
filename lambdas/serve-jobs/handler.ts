import type { APIGatewayProxyResult, Context } from 'aws-lambda';
import type { AppError } from '../../core/errors.ts';
import { problemAnswer } from '../shared/http/api-answer.ts';
import { callerOf, pathOf } from '../shared/http/caller.ts';
import { asAppError } from '../shared/http/error-response.ts';
import { logLine } from '../shared/telemetry/api-log-line.ts';
import type { JobRouteDeps } from './call.ts';
import type { ServeJobsEvent } from './event.ts';
import { allowedMethods, findOperation } from './routes.ts';

/** All that {@link createHandler} wires. */
export interface ServeJobsDeps extends JobRouteDeps {
  /** Name of the stage, for the log. */
  readonly stage: string;
  /** Milliseconds on a timer that never goes back. */
  readonly timer: () => number;
  /** Writes one line to the log. */
  readonly write: (line: string) => void;
}

/** The handler of the routes of jobs and webhooks. */
export type ServeJobsHandler = (event: ServeJobsEvent, context: Context) => Promise<APIGatewayProxyResult>;

/** Wires the function: events of API Gateway in, answers out, errors as problem documents, one log line for each. */
export function createHandler(deps: ServeJobsDeps): ServeJobsHandler {
  return async (event, { awsRequestId }) => {
    const startedMs = deps.timer();
    let [error, answer]: [unknown, APIGatewayProxyResult | undefined] = [undefined, undefined];
    try {
      answer = await findOperation(event.httpMethod, pathOf(event))({ event, owner: callerOf(event).tenant, deps });
    } catch (thrown) {
      error = thrown;
      answer = await failed(asAppError(thrown), event);
    }
    const { stage, clock, timer } = deps;
    const facts = { status: answer.statusCode, nowMs: clock.now(), ms: timer() - startedMs, notes: [] };
    deps.write(logLine({ event, awsRequestId, stage, error, ...facts }));
    return answer;
  };
}

async function failed(error: AppError, event: ServeJobsEvent): Promise<APIGatewayProxyResult> {
  const allow = error.code === 'METHOD_NOT_ALLOWED' ? await allowedMethods(pathOf(event)) : undefined;
  return problemAnswer(error, event, { allow });
}
