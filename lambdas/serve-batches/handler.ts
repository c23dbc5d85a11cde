import type { APIGatewayProxyEvent } from 'aws-lambda';
import { callerOf, planOf } from '../shared/http/caller.ts';
import { createHttpHandler, type HttpHandler } from '../shared/http/http-handler.ts';
import { startNotes } from '../shared/http/http-request.ts';
import { writeAccessLine } from '../shared/telemetry/access-line.ts';
import { type LogSettings, logTarget } from '../shared/telemetry/log-line.ts';
import type { RouteDeps } from './call.ts';
import { ROUTES } from './routes.ts';

/** Maximum time to assemble the parts of an upload before the response; the rest is done in steps. */
const WORK_MS = 8000;

/** Time reserved for writing records and the response. */
const MARGIN_MS = 8000;

/** Dependencies of {@link createHandler}. */
export interface ServeBatchesDeps extends RouteDeps, LogSettings {
  /** Milliseconds on a timer that never goes back. */
  readonly timer: () => number;
}

function callerAndPlan(event: APIGatewayProxyEvent) {
  const { tenant: owner, plan } = callerOf(event);
  return { owner, plan, budgets: planOf(event).budgets };
}

/** Creates the handler of the routes of files, uploads and batches. */
export function createHandler(deps: ServeBatchesDeps): HttpHandler {
  const { timer } = deps;
  const target = logTarget(deps, deps.clock);
  return createHttpHandler({
    routes: ROUTES,
    open: (event, { startedMs, notes }, deadlineMs) => ({
      ...deps,
      ...callerAndPlan(event),
      hasTime: () => timer() < Math.min(startedMs + WORK_MS, deadlineMs - MARGIN_MS),
      note: (message: string, cause: unknown) => notes.push({ message, cause }),
    }),
    timer,
    startMeasures: startNotes,
    log: (facts) => writeAccessLine(target, facts, facts.measures.notes),
  });
}
