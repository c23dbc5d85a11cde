import { callerOf, planOf } from '../shared/http/caller.ts';
import { createHttpHandler, type HttpHandler } from '../shared/http/http-handler.ts';
import { startNotes } from '../shared/http/http-request.ts';
import { writeAccessLine } from '../shared/telemetry/access-line.ts';
import { type LogSettings, logTarget } from '../shared/telemetry/log-line.ts';
import type { JobRouteDeps } from './call.ts';
import { ROUTES } from './routes.ts';

/** Dependencies of {@link createHandler}. */
export interface ServeJobsDeps extends JobRouteDeps, LogSettings {
  /** Milliseconds on a timer that never goes back. */
  readonly timer: () => number;
}

/** Creates the handler of the routes of jobs and webhooks. */
export function createHandler(deps: ServeJobsDeps): HttpHandler {
  const { timer } = deps;
  const target = logTarget(deps, deps.clock);
  return createHttpHandler({
    routes: ROUTES,
    open: (event) => {
      const { tenant: owner, plan } = callerOf(event);
      return { owner, plan, readPlan: () => planOf(event), deps };
    },
    timer,
    startMeasures: startNotes,
    log: (facts) => writeAccessLine(target, facts, facts.measures.notes),
  });
}
