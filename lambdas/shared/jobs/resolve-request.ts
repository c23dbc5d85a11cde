import { isJsonMediaType, JSON_MEDIA_TYPE } from '../../../core/api/body.ts';
import { AppError } from '../../../core/errors.ts';
import type { FileStore } from '../../../core/files/file.ts';
import type { FunctionSettings } from '../../../core/functions/settings.ts';
import { checkDestinations, checkInput, type Grants } from '../../../core/identity/grants.ts';
import type { Destinations, PayloadReference, StoredBody } from '../../../core/jobs/job.ts';
import { type JobEndpoint, modelsOf, parseEndpoint } from '../../../core/jobs/job-endpoint.ts';
import { MAX_JOB_INPUT_BYTES } from '../../../core/jobs/job-message.ts';
import type { JobRequest } from '../../../core/jobs/job-request.ts';
import { modelIdOf } from '../../../core/models/model-names.ts';
import { checkWebhookUrl } from '../../../core/webhooks/webhook-url.ts';
import type { Submission } from './submit-job.ts';

/** Properties of the deployment that requests are checked against. */
export interface ResolveDeps {
  readonly settings: Pick<FunctionSettings, 'modelIds' | 'taskModels' | 'payloadBucket'> &
    Partial<Pick<FunctionSettings, 'modelAliases'>>;
  /** Whether webhooks may go to this machine; in local mode only. */
  readonly allowLoopback: boolean;
  readonly files: Pick<FileStore, 'get'>;
}

/** Who submits a job. */
export interface Submitter {
  /** Whose files the job may use. */
  readonly owner: string;
  /** Resources of the deployment's account that it may use. */
  readonly grants: Grants;
}

/** The members of a {@link Submission} that the request determines. */
export type Resolved = Pick<Submission, 'endpoint' | 'model' | 'version' | 'input' | 'destinations' | 'cacheControl'>;

/**
 * Finds the model, the input and the destinations that a job request names. Every way to submit a job uses it.
 *
 * @param bodyText - The text of the request's `body`, as it was written.
 * @throws AppError `MODEL_NOT_FOUND`, `INVALID_PARAMETER`, `INVALID_WEBHOOK_URL`, `DESTINATION_FORBIDDEN`,
 * `INPUT_FORBIDDEN`, `FILE_NOT_FOUND`, `FILE_NOT_READY` or `BODY_TOO_LARGE`.
 */
export async function resolveRequest(
  request: JobRequest,
  submitter: Submitter,
  bodyText: string | undefined,
  deps: ResolveDeps,
): Promise<Resolved> {
  const endpoint = parseEndpoint(request.endpoint);
  const model = modelOf(endpoint, request.body, deps);
  const destinations = resolveDestinations(
    { webhookUrl: request.webhook_url, replyQueue: request.reply_queue, eventBus: request.event_bus },
    submitter.grants,
    deps,
  );
  return {
    endpoint: request.endpoint,
    model,
    version: endpoint.version,
    input:
      request.body === undefined || bodyText === undefined
        ? await payloadOf(request, submitter, deps)
        : { json: bodyText },
    destinations,
    cacheControl: request.cache_control,
  };
}

/**
 * Checks the destinations of a notification.
 *
 * @throws AppError `INVALID_WEBHOOK_URL` or `DESTINATION_FORBIDDEN`.
 */
export function resolveDestinations(
  { webhookUrl, replyQueue, eventBus }: { [K in keyof Destinations]: Destinations[K] | undefined },
  grants: Grants,
  {
    allowLoopback,
    webhookParam = 'webhook_url',
  }: Pick<ResolveDeps, 'allowLoopback'> & {
    /** Name of the member or header that holds the webhook's URL. */
    readonly webhookParam?: string;
  },
): Destinations {
  if (webhookUrl !== undefined) checkWebhookUrl(webhookUrl, { allowLoopback, param: webhookParam });
  checkDestinations({ replyQueue, eventBus }, grants);
  return {
    webhookUrl,
    replyQueue,
    ...(eventBus === true ? { eventBus } : {}),
  };
}

/** Returns the model of the path. For the shared route, it is the one that the body names, or the deployment's first. */
function modelOf(endpoint: JobEndpoint, body: JobRequest['body'], { settings }: ResolveDeps): string {
  if (endpoint.model !== undefined) {
    return known(endpoint.model, settings.modelIds, settings, 'endpoint');
  }
  const models = modelsOf(endpoint, settings.taskModels);
  const [first, ...others] = models;
  if (first === undefined) {
    const message = `this deployment has no ${endpoint.task} model`;
    throw new AppError('MODEL_NOT_FOUND', message, { param: 'endpoint' });
  }
  const named = body?.['model'];
  if (typeof named === 'string' && named !== '') return known(named, models, settings, 'body.model');
  if (body !== undefined || others.length === 0) return first;
  throw new AppError(
    'INVALID_PARAMETER',
    'endpoint must name the model of an input that is not in the request: /v1/models/{id}:predict or /v2/models/{id}/infer',
    { param: 'endpoint' },
  );
}

function known(
  name: string,
  models: readonly string[],
  { modelAliases }: ResolveDeps['settings'],
  param: string,
): string {
  const model = modelIdOf(name, modelAliases);
  if (models.includes(model)) return model;
  throw new AppError('MODEL_NOT_FOUND', `the model must be one of ${[...models].sort().join(', ')}`, { param });
}

async function payloadOf(request: JobRequest, { owner, grants }: Submitter, deps: ResolveDeps): Promise<StoredBody> {
  const { input_file_id: fileId, input_s3: s3 = '', input_media_type: type = JSON_MEDIA_TYPE } = request;
  const payload = fileId === undefined ? objectOf(s3, grants, deps) : await fileOf(fileId, owner, deps);
  const mediaType = type.toLowerCase().replaceAll(' ', '');
  return isJsonMediaType(mediaType) ? payload : { ...payload, mediaType };
}

function objectOf(address: string, grants: Grants, { settings }: ResolveDeps): PayloadReference {
  const [, bucket = '', key = ''] = /^s3:\/\/([^/]+)\/(.+)$/s.exec(address) ?? [];
  // The payload bucket holds data of every caller, so it is never an input bucket.
  const inputBuckets = grants.inputBuckets.filter((place) => place.bucket !== settings.payloadBucket);
  checkInput({ bucket, key }, { ...grants, inputBuckets });
  return { bucket, key };
}

async function fileOf(id: string, owner: string, { files }: ResolveDeps): Promise<PayloadReference> {
  const param = 'input_file_id';
  const file = await files.get(owner, id);
  if (file === undefined) throw new AppError('FILE_NOT_FOUND', 'input_file_id is not the id of a file', { param });
  if (file.status !== 'processed') {
    throw new AppError('FILE_NOT_READY', `the file must be processed, it is ${file.status}`, { param });
  }
  if (file.bytes > MAX_JOB_INPUT_BYTES) {
    const message = `the file holds ${file.bytes} bytes, at most ${MAX_JOB_INPUT_BYTES} are allowed for one job; split it into several jobs, or run it as a batch`;
    throw new AppError('BODY_TOO_LARGE', message, { param });
  }
  return file.payload;
}
