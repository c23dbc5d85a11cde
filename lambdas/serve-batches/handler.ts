import type { APIGatewayProxyEvent, APIGatewayProxyResult, Context } from 'aws-lambda';
import { type AppError, ERRORS } from '../../core/errors.ts';
import { type AnswerHeaders, problemAnswer } from '../shared/http/api-answer.ts';
import { callerOf, pathOf } from '../shared/http/caller.ts';
import { asAppError } from '../shared/http/error-response.ts';
import { type LogFacts, logLine } from '../shared/telemetry/api-log-line.ts';
import type { Call, RouteDeps } from './call.ts';
import { allowedMethods, findOperation } from './routes.ts';

/** Longest that parts of an upload are put together before the answer; the rest is done behind it. */
const WORK_MS = 8000;

/** Time kept for recording and answering. */
const MARGIN_MS = 8000;

/** Pause in seconds before a file is looked at again that is on its way. */
const NOT_READY_SECONDS = 2;

/** All that {@link createHandler} wires. */
export interface ServeBatchesDeps extends RouteDeps {
  /** Name of the stage, for the log. */
  readonly stage: string;
  /** Milliseconds on a timer that never goes back. */
  readonly timer: () => number;
  /** Writes one line to the log. */
  readonly write: (line: string) => void;
}

/** The handler of the routes of files, uploads and batches. */
export type ServeBatchesHandler = (event: APIGatewayProxyEvent, context: Context) => Promise<APIGatewayProxyResult>;

/** Wires the function: events of API Gateway in, answers out, errors as problem documents, one log line for each. */
export function createHandler(deps: ServeBatchesDeps): ServeBatchesHandler {
  return async (event, context) => {
    const startedMs = deps.timer();
    const notes: LogFacts['notes'] = [];
    let [error, answer]: [unknown, APIGatewayProxyResult | undefined] = [undefined, undefined];
    try {
      answer = await serve(event, {
        ...deps,
        hasTime: () => deps.timer() - startedMs < WORK_MS && context.getRemainingTimeInMillis() > MARGIN_MS,
        note: (message, cause) => notes.push({ message, cause }),
      });
    } catch (thrown) {
      error = thrown;
      answer = failed(asAppError(thrown), event);
    }
    const { stage, clock } = deps;
    const ms = deps.timer() - startedMs;
    const { awsRequestId } = context;
    deps.write(
      logLine({ event, awsRequestId, status: answer.statusCode, nowMs: clock.now(), ms, stage, error, notes }),
    );
    return answer;
  };
}

async function serve(event: APIGatewayProxyEvent, deps: Omit<Call, 'event' | 'owner'>): Promise<APIGatewayProxyResult> {
  const operation = findOperation(event.httpMethod, pathOf(event));
  return operation({ ...deps, event, owner: callerOf(event).tenant });
}

function failed(error: AppError, event: APIGatewayProxyEvent): APIGatewayProxyResult {
  return problemAnswer(error, event, {
    ...retryHeaders(error),
    ...(error.code === 'METHOD_NOT_ALLOWED' ? { allow: allowedMethods(pathOf(event)) } : {}),
  });
}

/** OpenAI's clients send a request that got 409 or 5xx again, unless they are told that it is no use. */
function retryHeaders({ code, status }: AppError): AnswerHeaders {
  if (code === 'FILE_NOT_READY') return { 'retry-after': String(NOT_READY_SECONDS) };
  const isRetried = status === 409 || status >= 500;
  return isRetried && !ERRORS[code].retryable ? { 'x-should-retry': 'false' } : {};
}
