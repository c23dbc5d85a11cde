import { NO_ACTIVITY } from '../local/activity/activity.ts';
import { ExecutionEnvironment } from '../local/services/lambda/execution-environment.ts';
import type { FunctionLog } from '../local/services/lambda/function-log.ts';
import { CustomAttributes } from '../local/template/custom-attributes.ts';
import type { FunctionPlan } from '../local/template/plan-functions.ts';

/** Nothing listens there: a function that connects to AWS is refused immediately. */
const NO_ENDPOINT = 'http://127.0.0.1:9';

/** Starts an execution environment of a function, on its own: without services, and never frozen. */
export function startEnvironment(plan: FunctionPlan, log: FunctionLog): Promise<ExecutionEnvironment> {
  return ExecutionEnvironment.start({
    plan,
    version: '1',
    initializationType: 'on-demand',
    aheadMs: () => 0,
    endpointUrl: NO_ENDPOINT,
    attributes: new CustomAttributes(),
    log,
    activity: NO_ACTIVITY,
    freezer: undefined,
  });
}
