import middy from '@middy/core';
import type { APIGatewayProxyEvent, APIGatewayProxyResult, Context } from 'aws-lambda';
import { errorResponse } from '../shared/http/error-response.ts';
import { jsonBody } from '../shared/http/json-body.ts';
import { requestLog } from '../shared/http/request-log.ts';
import type { CacheFailure } from '../shared/results/results-cache.ts';
import { type AnswerOptions, failure } from './answer.ts';
import type { ServeDeps, ServeEvent } from './call.ts';
import { createServe } from './serve.ts';

/** Most bytes of a request body once it is decoded: what API Gateway accepts at most. */
const MAX_BODY_BYTES = 10 * 1024 * 1024;

/** All that {@link createHandler} wires. */
export interface ServeModelDeps extends ServeDeps {
  /** Writes one line to the log. */
  readonly write: (line: string) => void;
  /** Takes the failures of the results cache since it was last asked. */
  readonly takeCacheFailures: () => readonly CacheFailure[];
}

/** The handler of one model's function. */
export type ServeModelHandler = (event: APIGatewayProxyEvent, context: Context) => Promise<APIGatewayProxyResult>;

/** Wires the function: events of API Gateway in, answers out, errors as problem documents, one log line for each. */
export function createHandler(deps: ServeModelDeps): ServeModelHandler {
  const { packed, environment, clock, timer, write, takeCacheFailures } = deps;
  const now = () => clock.now();
  const answers: AnswerOptions = { modelId: packed.manifest.id, now, timer };
  return middy<ServeEvent, APIGatewayProxyResult>({
    // A deadline is looked at between two runs of the model: a timer could not fire during one, and costs more.
    timeoutEarlyInMillis: 0,
  })
    .use(errorResponse({ answer: (error, event) => failure(error, event, answers) }))
    .use(
      requestLog({
        model: packed.manifest.id,
        stage: environment.stage,
        namespace: environment.metricsNamespace,
        now,
        timer,
        write,
        takeCacheFailures,
      }),
    )
    .use(jsonBody({ maxBytes: MAX_BODY_BYTES }))
    .handler(createServe(deps));
}
