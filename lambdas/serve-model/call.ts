import type { SERVE_MODEL_SETTINGS } from '../../core/functions/functions.ts';
import type { SettingsOf } from '../../core/functions/settings.ts';
import { readCacheControl } from '../../core/results/cache-policy.ts';
import { findCaller } from '../shared/http/caller.ts';
import { headerOf } from '../shared/http/header.ts';
import type { HttpRequest } from '../shared/http/http-request.ts';
import type { Forward } from '../shared/http/lambda-forwarder.ts';
import { chooseVersion } from '../shared/inference/choose-version.ts';
import type { Call, InferenceDeps } from '../shared/inference/inference.ts';
import type { JobSubmitter } from '../shared/jobs/open-submission.ts';
import type { RequestMeasures } from '../shared/telemetry/request-measures.ts';

/** A request to one model's function. */
export type ServeRequest = HttpRequest<RequestMeasures>;

/** Dependencies of requests. */
export interface ServeDeps extends InferenceDeps {
  readonly environment: SettingsOf<typeof SERVE_MODEL_SETTINGS>;
  /** Forwards a request that names another model to that model's function. */
  readonly forward: Forward;
  /** Opens the submission of jobs. Absent if the deployment has no jobs: then `Prefer` is ignored. */
  readonly submission?: () => Promise<JobSubmitter>;
}

/**
 * Opens the version that serves a request: the one that its path names, or one by the traffic split.
 *
 * The split is sticky: the same caller always gets the same version. The header `x-experiment-key` identifies the
 * caller, or else its tenant, or else its IP address.
 *
 * @throws AppError `VERSION_NOT_FOUND` if the path names a version that the model does not have.
 */
export async function openCall({ event, params, deadlineMs, measures }: ServeRequest, deps: ServeDeps): Promise<Call> {
  const name = chooseVersion(stickyKeyOf(event), params['version'], deps);
  measures.version = name;
  const policy = readCacheControl(headerOf(event, 'cache-control'));
  return { version: await deps.versions.open(name), policy, deadlineMs, measures };
}

function stickyKeyOf(event: ServeRequest['event']): string {
  return (
    headerOf(event, 'x-experiment-key') ?? findCaller(event)?.tenant ?? event.requestContext?.identity?.sourceIp ?? ''
  );
}
