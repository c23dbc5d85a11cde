import { readJsonBody } from '../../core/api/body.ts';
import { AppError } from '../../core/errors.ts';
import type { StoredFile } from '../../core/files/file.ts';
import { fileExpiry } from '../../core/files/file-expiry.ts';
import { parseDeclaredFile, parseSentFile } from '../../core/files/file-request.ts';
import { MAX_PUT_BYTES, UPLOAD_WINDOW_MS } from '../../core/files/limits.ts';
import { openAiFile } from '../../core/files/openai-file.ts';
import { ID_ENTROPY_BYTES, timeOrderedId } from '../../core/ids/time-ordered-id.ts';
import { payloadKeys } from '../../core/jobs/payload-keys.ts';
import { type HttpResult, jsonResult } from '../shared/http/http-response.ts';
import type { Call } from './call.ts';
import { type Form, type FormFile, isForm, readForm } from './form.ts';
import { withinBudgets } from './usage.ts';

/** Media types by purpose; content is always handed out as an attachment. */
const MEDIA_TYPES = { batch: 'application/jsonl', user_data: 'application/octet-stream' } as const;

/** Name of a file whose form gives none, as OpenAI's client for Python calls it. */
const UNNAMED = 'upload';

/**
 * Serves `POST /v1/files`: a form with the file itself, or JSON that declares a file whose bytes are sent to a presigned URL.
 */
export async function createFile(call: Call): Promise<HttpResult> {
  return isForm(call.body) ? takeFile(call) : declareFile(call);
}

async function takeFile(call: Call): Promise<HttpResult> {
  const form = await readForm(call, 'file');
  if (form.file === undefined)
    throw new AppError('INVALID_BODY', 'the form must contain the field file', { param: 'file' });
  const request = parseSentFile({ ...withSeconds(form), filename: form.file.filename ?? UNNAMED });
  const { objects } = await call.storage();
  const file = describe(call, objects.bucket, { ...request, bytes: sizeOf(form.file) });
  checkFileSize(file.bytes, call);
  await objects.write(file.payload.key, form.file.bytes, MEDIA_TYPES[request.purpose]);
  try {
    return resultOf(await create(file, call), call);
  } catch (error) {
    // No record names the bytes; the rules of the bucket delete them if this fails.
    await objects.remove(file.payload.key).catch((cause: unknown) => call.note('the bytes stay for now', cause));
    throw error;
  }
}

async function declareFile(call: Call): Promise<HttpResult> {
  const request = parseDeclaredFile(readJsonBody(call.body));
  checkFileSize(request.bytes, call);
  if (request.bytes > MAX_PUT_BYTES) {
    const message = `the file has more than ${MAX_PUT_BYTES} bytes, which are the maximum of one address; send it in parts with /v1/uploads`;
    throw new AppError('FILE_TOO_LARGE', message, { param: 'bytes' });
  }
  const { objects } = await call.storage();
  const file = describe(call, objects.bucket, request);
  const options = { bytes: file.bytes, expiresSeconds: UPLOAD_WINDOW_MS / 1000 };
  const uploadUrl = await objects.presignPut(file.payload.key, options);
  const uploadExpiresAtMs = file.createdAtMs + UPLOAD_WINDOW_MS;
  return resultOf(await create({ ...file, status: 'pending', uploadExpiresAtMs }, call), call, uploadUrl);
}

function create(file: StoredFile, call: Call): Promise<StoredFile> {
  const { files, budgets } = call;
  return withinBudgets(call, { storedBytes: file.bytes, files: 1 }, () => files.create(file, { budgets }));
}

/**
 * Checks a file against the limits of the deployment and the plan.
 *
 * @throws AppError `FILE_TOO_LARGE`.
 */
export function checkFileSize(bytes: number, { settings, budgets }: Pick<Call, 'settings' | 'budgets'>): void {
  const most = Math.min(settings.maxFileBytes, budgets.fileBytes);
  if (bytes <= most) return;
  const message = `the file has more than ${most} bytes, which are the maximum; send several smaller files`;
  throw new AppError('FILE_TOO_LARGE', message, { param: 'bytes' });
}

/** Numbers in a form are text. */
function withSeconds({ fields }: Form): Record<string, unknown> {
  const { expires_after: expiry } = fields;
  if (typeof expiry !== 'object' || expiry === null || !('seconds' in expiry)) return { ...fields };
  const { seconds } = expiry;
  const isNumber = typeof seconds === 'string' && /^\d{1,12}$/.test(seconds);
  return { ...fields, expires_after: isNumber ? { ...expiry, seconds: Number(seconds) } : expiry };
}

function sizeOf({ bytes }: FormFile): number {
  if (bytes.length === 0) throw new AppError('EMPTY_FILE', 'the file is empty', { param: 'file' });
  return bytes.length;
}

interface FileFacts extends Pick<StoredFile, 'filename' | 'purpose' | 'bytes'> {
  readonly expires_after?: { readonly seconds: number } | undefined;
}

function describe(call: Call, bucket: string, facts: FileFacts): StoredFile {
  const { clock, owner, entropy, settings } = call;
  const createdAtMs = clock.now();
  const id = `file-${timeOrderedId(createdAtMs, entropy(ID_ENTROPY_BYTES))}`;
  const { filename, purpose, bytes, expires_after: expiry } = facts;
  return {
    owner,
    id,
    filename,
    purpose,
    bytes,
    createdAtMs,
    status: 'processed',
    payload: { bucket, key: payloadKeys.file(owner, id) },
    expiresAtMs: fileExpiry(createdAtMs, settings.fileRetentionDays, expiry?.seconds),
  };
}

function resultOf(file: StoredFile, { clock }: Call, uploadUrl?: string): HttpResult {
  return jsonResult(JSON.stringify(openAiFile(file, clock, uploadUrl)));
}
