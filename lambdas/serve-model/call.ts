import type { APIGatewayProxyEvent } from 'aws-lambda';
import type { ServeModelEnvironment } from '../../core/functions/serve-model-environment.ts';
import { readCacheControl } from '../../core/results/cache-policy.ts';
import { findCaller } from '../shared/http/caller.ts';
import { headerOf, type WithJson } from '../shared/http/json-body.ts';
import type { Forward } from '../shared/http/lambda-forwarder.ts';
import { chooseVersion } from '../shared/inference/choose-version.ts';
import type { Call, InferenceDeps } from '../shared/inference/inference.ts';
import type { Submission } from '../shared/jobs/open-submission.ts';
import type { Measured } from '../shared/telemetry/request-measures.ts';

/** An event of API Gateway with its body read and its measures begun. */
export type ServeEvent = APIGatewayProxyEvent & WithJson & Measured;

/** What requests need. */
export interface ServeDeps extends InferenceDeps {
  readonly environment: ServeModelEnvironment;
  /** Hands a request that names another model on to its function. */
  readonly forward: Forward;
  /** Opens what submitting a job takes; absent where the deployment has no jobs, and `Prefer` is ignored. */
  readonly submission?: () => Promise<Submission>;
}

/**
 * Opens the version that serves a request: the one that its path names, or one by the traffic split.
 *
 * The split is sticky: the same caller always gets the same version. The header `x-experiment-key` identifies the
 * caller, or else its tenant, or else its IP address.
 *
 * @throws AppError `VERSION_NOT_FOUND` if the path names a version that the model does not have.
 */
export async function openCall(event: ServeEvent, deps: ServeDeps): Promise<Call> {
  const name = chooseVersion(stickyKeyOf(event), event.pathParameters?.['version'], deps);
  event.measures.version = name;
  const policy = readCacheControl(headerOf(event, 'cache-control'));
  return { version: await deps.versions.open(name), policy, measures: event.measures };
}

function stickyKeyOf(event: ServeEvent): string {
  return (
    headerOf(event, 'x-experiment-key') ?? findCaller(event)?.tenant ?? event.requestContext?.identity?.sourceIp ?? ''
  );
}
