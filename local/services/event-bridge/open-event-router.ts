import type { Clock } from '../../../core/clock.ts';
import type { ActivitySink } from '../../activity/activity.ts';
import { compilePattern } from '../../iam/patterns.ts';
import type { EventBusPlan } from '../../template/plan-event-buses.ts';
import type { InvokePermission } from '../../template/plan-functions.ts';
import type { LambdaHost } from '../lambda/lambda-host.ts';
import { EventLog } from './event-log.ts';
import { EventRouter } from './event-router.ts';

/** Dependencies of {@link openEventRouter}. */
export interface EventRouterParts {
  readonly buses: readonly EventBusPlan[];
  readonly clock: Clock;
  readonly host: Pick<LambdaHost, 'invoke'>;
  /** Puts a message into a queue. */
  readonly sendMessage: (queueArn: string, body: string) => Promise<void>;
  /** Who may invoke which function. */
  readonly permissions: readonly InvokePermission[];
  /** Folder for the log groups of rules, and for `event-bridge.log` with the events that a target did not accept. */
  readonly logsDirectory: string;
  readonly activity?: ActivitySink | undefined;
}

/**
 * Opens the event buses with this machine's queues, functions and logs as their targets.
 *
 * @throws AppError `TEMPLATE_INVALID` when a rule has a pattern that is not known here.
 */
export function openEventRouter(parts: EventRouterParts): EventRouter {
  const log = new EventLog(parts.logsDirectory);
  return new EventRouter({
    buses: parts.buses,
    clock: parts.clock,
    activity: parts.activity,
    targets: {
      sendMessage: parts.sendMessage,
      invoke: (functionArn, payload, ruleArn) => invoke(parts, functionArn, payload, ruleArn),
      log: (logGroupArn, line) => log.write(logGroupArn, line),
    },
    onLost: (event, targetArn, error) => {
      const reason = error instanceof Error ? error.message : String(error);
      return log.write('event-bridge', JSON.stringify({ lost: event['id'] ?? null, target: targetArn, reason }));
    },
  });
}

async function invoke(
  { host, permissions }: EventRouterParts,
  functionArn: string,
  payload: string,
  ruleArn: string,
): Promise<void> {
  const isPermitted = permissions.some(
    (permission) =>
      permission.functionArn === functionArn &&
      permission.principal === 'events.amazonaws.com' &&
      (permission.sourceArn === undefined || compilePattern(permission.sourceArn)(ruleArn)),
  );
  if (!isPermitted) throw new Error('events.amazonaws.com has no permission to invoke the function');
  const { outcome } = await host.invoke({ functionName: functionArn, qualifier: undefined, payload, nested: false });
  // An error of the function is in its own log: the event was delivered.
  if (outcome.kind === 'responded' || outcome.kind === 'failed') return;
  throw new Error(`the function took nothing: ${outcome.kind}`);
}
