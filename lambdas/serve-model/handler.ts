import { createHttpHandler, type HttpHandler } from '../shared/http/http-handler.ts';
import type { CacheFailure } from '../shared/results/results-cache.ts';
import { logTarget } from '../shared/telemetry/log-line.ts';
import { writeRequestLine } from '../shared/telemetry/request-line.ts';
import { startMeasures } from '../shared/telemetry/request-measures.ts';
import type { ServeDeps } from './call.ts';
import { modelHeaders } from './model-headers.ts';
import { createRoutes } from './routes.ts';

/** Dependencies of {@link createHandler}. */
export interface ServeModelDeps extends ServeDeps {
  /** Writes one line to the log. */
  readonly write: (line: string) => void;
  /** Takes the failures of the results cache since the last call. */
  readonly takeCacheFailures: () => readonly CacheFailure[];
}

/** Creates the handler of one model's function. */
export function createHandler(deps: ServeModelDeps): HttpHandler {
  const { packed, environment, clock, timer, write, takeCacheFailures } = deps;
  const model = packed.manifest.id;
  const target = logTarget({ ...environment, write }, clock);
  const { now } = target;
  let isCold = true;
  return createHttpHandler({
    routes: createRoutes(deps),
    open: () => ({}),
    headers: (measures) => modelHeaders(measures, { modelId: model, now, timer }),
    timer,
    startMeasures,
    log: (facts) => {
      writeRequestLine(target, { ...facts, model, isCold, failures: takeCacheFailures() });
      isCold = false;
    },
  });
}
