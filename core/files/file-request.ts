import * as v from 'valibot';
import { oneOf, text, tolerantRequest, wellFormed, wholeNumber } from '../parse.ts';
import { parseInput } from '../parse-input.ts';
import { FILE_PURPOSES } from './file.ts';
import { EXPIRES_AFTER_SECONDS, MAX_FILE_NAME_CHARACTERS, MAX_UPLOAD_PARTS } from './limits.ts';

const { min, max } = EXPIRES_AFTER_SECONDS;

/** The expiry of a file, as OpenAI's API defines it. */
export const expiresAfter = v.optional(
  tolerantRequest({ anchor: v.literal('created_at', 'must be created_at'), seconds: wholeNumber(min, max) }),
);

const controls = /[\p{Cc}\p{Zl}\p{Zp}]/u;

const filename = v.pipe(
  v.string('must be the name of a file'),
  v.minLength(1, 'must be the name of a file'),
  v.maxLength(MAX_FILE_NAME_CHARACTERS, `must be ${MAX_FILE_NAME_CHARACTERS} characters at most`),
  v.check((name) => !controls.test(name), 'must not contain control characters'),
  wellFormed,
);

const purpose = oneOf(FILE_PURPOSES);
const bytes = wholeNumber(1, Number.MAX_SAFE_INTEGER);

/** Schema of a file whose bytes will be sent to a presigned URL. */
export const declaredFile = tolerantRequest({ filename, purpose, bytes, expires_after: expiresAfter });

/** Schema of the form fields of a file that is in the request. */
export const sentFile = tolerantRequest({ filename, purpose, expires_after: expiresAfter });

/** Schema of the body of `POST /v1/uploads`. */
export const uploadRequest = tolerantRequest({
  filename,
  purpose,
  bytes,
  mime_type: text(/^[\w.+-]{1,100}\/[\w.+-]{1,100}(?:\s*;.{0,100})?$/, 'a media type'),
  expires_after: expiresAfter,
});

/** Schema of the body of `POST /v1/uploads/{id}/complete`. */
export const completeRequest = tolerantRequest({
  part_ids: v.pipe(
    v.array(text(/^part_[0-9a-z]{26}$/, 'the id of a part'), 'must be the ids of the parts in order'),
    v.minLength(1, 'must contain at least one id'),
    v.maxLength(MAX_UPLOAD_PARTS, `must contain ${MAX_UPLOAD_PARTS} ids at most`),
  ),
  md5: v.optional(text(/^[0-9a-fA-F]{32}$/, '32 hexadecimal digits')),
});

/** A file whose bytes will be sent to a presigned URL. */
export type DeclaredFile = v.InferOutput<typeof declaredFile>;

/** The form fields of a file that is in the request. */
export type SentFile = v.InferOutput<typeof sentFile>;

/** Body of `POST /v1/uploads`. */
export type UploadRequest = v.InferOutput<typeof uploadRequest>;

/** Body of `POST /v1/uploads/{id}/complete`. */
export type CompleteRequest = v.InferOutput<typeof completeRequest>;

/** @throws AppError `INVALID_BODY` that lists all problems. */
export function parseDeclaredFile(value: unknown): DeclaredFile {
  return parseInput(declaredFile, value, 'the file', 'INVALID_BODY');
}

/** @throws AppError `INVALID_BODY` that lists all problems. */
export function parseSentFile(value: unknown): SentFile {
  return parseInput(sentFile, value, 'the form', 'INVALID_BODY');
}

/** @throws AppError `INVALID_BODY` that lists all problems. */
export function parseUploadRequest(value: unknown): UploadRequest {
  return parseInput(uploadRequest, value, 'the upload', 'INVALID_BODY');
}

/** @throws AppError `INVALID_BODY` that lists all problems. */
export function parseCompleteRequest(value: unknown): CompleteRequest {
  return parseInput(completeRequest, value, 'the body', 'INVALID_BODY');
}
