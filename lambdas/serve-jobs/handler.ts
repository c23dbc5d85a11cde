import { callerOf } from '../shared/http/caller.ts';
import { createHttpHandler, type HttpHandler } from '../shared/http/http-handler.ts';
import { startNotes } from '../shared/http/http-request.ts';
import { logLine } from '../shared/telemetry/api-log-line.ts';
import type { JobRouteDeps } from './call.ts';
import { ROUTES } from './routes.ts';

/** Dependencies of {@link createHandler}. */
export interface ServeJobsDeps extends JobRouteDeps {
  /** Name of the stage, for the log. */
  readonly stage: string;
  /** Milliseconds on a timer that never goes back. */
  readonly timer: () => number;
  /** Writes one line to the log. */
  readonly write: (line: string) => void;
}

/** Creates the handler of the routes of jobs and webhooks. */
export function createHandler(deps: ServeJobsDeps): HttpHandler {
  const { stage, clock, timer, write } = deps;
  return createHttpHandler({
    routes: ROUTES,
    open: (event) => ({ owner: callerOf(event).tenant, deps }),
    timer,
    startMeasures: startNotes,
    log: ({ measures: { notes }, latencyMs, ...facts }) =>
      write(logLine({ ...facts, notes, ms: latencyMs, nowMs: clock.now(), stage })),
  });
}
