import type { SERVE_MODEL_SETTINGS } from '../../core/functions/functions.ts';
import type { SettingsOf } from '../../core/functions/settings.ts';
import type { Caller } from '../../core/identity/caller.ts';
import { cachePolicyOf, readCacheControl } from '../../core/results/cache-policy.ts';
import { cacheKeyPrefix } from '../../core/results/cache-scope.ts';
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
  const caller = findCaller(event);
  const name = chooseVersion(stickyKeyOf(event, caller), params['version'], deps);
  measures.version = name;
  const policy = cachePolicyOf(readCacheControl(headerOf(event, 'cache-control')));
  const cachePrefix = cacheKeyPrefix(deps.environment.cacheScope, caller);
  return { version: await deps.versions.open(name), policy, cachePrefix, deadlineMs, measures };
}

function stickyKeyOf(event: ServeRequest['event'], caller: Caller | undefined): string {
  return headerOf(event, 'x-experiment-key') ?? caller?.tenant ?? event.requestContext?.identity?.sourceIp ?? '';
}
