import type { APIGatewayProxyEvent } from 'aws-lambda';
import type { ServeModelEnvironment } from '../../core/functions/serve-model-environment.ts';
import { readCacheControl } from '../../core/results/cache-policy.ts';
import { trafficOf } from '../../core/traffic/traffic.ts';
import { pickVersion } from '../../core/traffic/version-split.ts';
import { headerOf, type WithJson } from '../shared/http/json-body.ts';
import type { Forward } from '../shared/http/lambda-forwarder.ts';
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
 * Picks the version that answers a request: the one its path names, else one by the traffic split.
 *
 * The split is sticky: the same caller always gets the same version. A caller is what the header `x-experiment-key`
 * says, else its API key, else its address.
 *
 * @throws AppError `VERSION_NOT_FOUND` when the path names a version there is not.
 */
export async function openCall(event: ServeEvent, { packed, versions }: ServeDeps): Promise<Call> {
  const name = event.pathParameters?.['version'] ?? pickVersion(trafficOf(packed.manifest), stickyKeyOf(event));
  versions.describe(name);
  event.measures.version = name;
  const policy = readCacheControl(headerOf(event, 'cache-control'));
  return { version: await versions.open(name), policy, measures: event.measures };
}

function stickyKeyOf(event: ServeEvent): string {
  const identity = event.requestContext?.identity;
  return headerOf(event, 'x-experiment-key') ?? identity?.apiKeyId ?? identity?.sourceIp ?? '';
}
