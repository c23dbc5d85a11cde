/**
 * Bounds of files, uploads and batches, in one place. What the deployment sets (`maxFileBytes`, `retentionDays`) and what
 * workers hold to (`MAX_CHUNK_LINES`, `MAX_CHUNK_BYTES`, `MAX_LINE_BYTES` in `batch.ts`) is not among them.
 */

const MIB = 1024 * 1024;
const HOUR_MS = 3_600_000;

/**
 * Maximum size of a body that passes the gateway, in bytes. AWS Lambda accepts events of 6 MB, in which the body is
 * base64, four characters for three bytes. This leaves 4.5 MB for the body, headers and context.
 */
export const MAX_FORM_BYTES = 4_400_000;

/** Maximum size of one presigned PUT, in bytes (S3: 5 GiB for a single put). */
export const MAX_PUT_BYTES = 5 * 1024 * MIB;

/** Maximum duration of an upload, as in OpenAI's API: enough for gigabytes on a slow connection. */
export const UPLOAD_WINDOW_MS = HOUR_MS;

/** Maximum number of parts, so that their list fits a request and their records are read in a few seconds. */
export const MAX_UPLOAD_PARTS = 10_000;

/** Completion window of batches, the only one that OpenAI's API has. */
export const COMPLETION_WINDOW_MS = 24 * HOUR_MS;

/** Maximum number of requests in a batch: more chunks would contend for the batch's counters for hours. */
export const MAX_BATCH_REQUESTS = 10_000_000;

/** Maximum number and lengths of metadata pairs, as in OpenAI's API. */
export const METADATA_LIMITS = { pairs: 16, keyCharacters: 64, valueCharacters: 512 } as const;

/** Maximum length of a file name, which is also the limit of file systems. */
export const MAX_FILE_NAME_CHARACTERS = 255;

/** Bounds of `expires_after.seconds`, as in OpenAI's API. */
export const EXPIRES_AFTER_SECONDS = { min: 3600, max: 2_592_000 } as const;

/** Records on a page of a list: the default, the maximum that a caller may request, and the maximum returned. */
export const PAGE = { usual: 20, asked: 10_000, most: 100 } as const;

/** Lifetime of a presigned URL of a file's content, which clients follow immediately. */
export const CONTENT_URL_SECONDS = 300;

/** Time after the completion window in which a failing batch is retried before it is abandoned. */
export const GRACE_MS = 24 * HOUR_MS;
