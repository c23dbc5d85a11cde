import { styleText } from 'node:util';
import type { RequestCompleted, TimedActivity } from '../activity/activity.ts';
import { renderRecord } from './record-line.ts';

/** Shifts a line to the right of the times. */
const INDENT = ' '.repeat(10);

/**
 * Renders an event for the terminal: each request, the outcomes of jobs, batches and webhooks, and each event that shows a
 * developer why something does not work.
 *
 * @returns Undefined for events that the terminal does not show.
 */
export function renderActivity(activity: TimedActivity): string | undefined {
  switch (activity.type) {
    case 'request.completed':
      return renderRequest(activity);
    case 'record.logged': {
      const line = renderRecord(activity.record);
      return line === undefined ? undefined : `${renderTime(activity)}  ${line}`;
    }
    case 'call.denied':
      return renderWarning(activity, `denied  ${activity.action} on ${activity.resource} for ${activity.principal}`);
    case 'message.dead-lettered':
      return renderWarning(
        activity,
        `dead letter  ${activity.messageId} moved from ${activity.queue} to ${activity.deadLetterQueue}`,
      );
    case 'event.lost':
      return renderWarning(
        activity,
        `lost event  ${activity.detailType} ${activity.eventId} for ${activity.targetArn}: ${activity.reason ?? ''}`,
      );
    case 'activity.dropped':
      return renderWarning(activity, `${activity.count} events were dropped, because the terminal is too slow`);
    default:
      return undefined;
  }
}

function renderRequest(request: RequestCompleted & { readonly atMs: number }): string {
  const { method, route, status, durationMs, code, keyName, isColdStart, cache, functionError } = request;
  const notes = [modelOf(request), keyName, isColdStart ? 'cold' : undefined, cache?.toLowerCase()]
    .filter((note) => note !== undefined)
    .join('  ');
  const line = [
    renderTime(request),
    method.padEnd(4),
    route ?? '(no route)',
    styleText(colourOf(status), code === undefined ? String(status) : `${status} ${code}`),
    `${durationMs.toFixed(durationMs < 10 ? 1 : 0)} ms`,
    ...(notes === '' ? [] : [styleText('dim', notes)]),
  ].join('  ');
  return functionError === undefined ? line : `${line}\n${INDENT}${styleText('red', functionError)}`;
}

/** Model and version, as `minilm@2`. */
function modelOf({ model, version }: RequestCompleted): string | undefined {
  return model === undefined || version === undefined ? model : `${model}@${version}`;
}

function renderWarning(activity: TimedActivity, text: string): string {
  return `${renderTime(activity)}  ${styleText('yellow', text)}`;
}

function renderTime({ atMs }: TimedActivity): string {
  return styleText('dim', new Date(atMs).toTimeString().slice(0, 8));
}

function colourOf(status: number): 'red' | 'yellow' | 'green' {
  if (status >= 500) return 'red';
  return status >= 400 ? 'yellow' : 'green';
}
