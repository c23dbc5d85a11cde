/**
 * Bounds of files, uploads and batches, in one place. What the deployment sets (`maxFileBytes`, `retentionDays`) and what
 * workers hold to (`MAX_CHUNK_LINES`, `MAX_CHUNK_BYTES`, `MAX_LINE_BYTES` in `batch.ts`) is not among them.
 */

const MIB = 1024 * 1024;
const HOUR_MS = 3_600_000;

/**
 * Maximum size of an event of AWS Lambda, in bytes. A body of bytes is base64 in it: four characters for three bytes.
 */
const MAX_EVENT_BYTES = 6_291_456;

/**
 * Room in an event for everything but the body: API Gateway accepts 10,240 bytes of headers and path, the event holds them
 * twice, and a quotation mark takes two characters in JSON.
 */
const EVENT_ENVELOPE_BYTES = 48 * 1024;

/** Room in a form for its other fields and its boundaries. */
const FORM_ENVELOPE_BYTES = 1728;

/** Maximum size of a body of bytes that can reach a function. */
export const MAX_FORM_BYTES = Math.floor(MAX_EVENT_BYTES / 4) * 3;

/** Size of a file, or of a part of an upload, that a form can carry whatever its headers are: 4,680,000 bytes. */
export const FORM_FILE_BYTES = ((MAX_EVENT_BYTES - EVENT_ENVELOPE_BYTES) / 4) * 3 - FORM_ENVELOPE_BYTES;

/** Maximum size of one presigned PUT, in bytes (S3: 5 GiB for a single put). */
export const MAX_PUT_BYTES = 5 * 1024 * MIB;

/** Ways to send a file that is too large for a form, for error messages. */
export const LARGER_FILES = `send it in parts of ${FORM_FILE_BYTES} bytes or less with /v1/uploads (OpenAI's Python client: upload_file_chunked with part_size=4_000_000), or POST {"filename", "purpose", "bytes"} as JSON to /v1/files for an upload_url that takes the whole file`;

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
