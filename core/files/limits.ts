/**
 * Bounds of files, uploads and batches, in one place. What the deployment sets (`maxFileBytes`, `retentionDays`) and what
 * workers hold to (`MAX_CHUNK_LINES`, `MAX_CHUNK_BYTES`, `MAX_LINE_BYTES` in `batch.ts`) is not among them.
 */

const MIB = 1024 * 1024;
const HOUR_MS = 3_600_000;

/**
 * Most bytes of a body that comes through the gateway. AWS Lambda takes events of 6 MB, in which the body is base64, four
 * characters for three bytes, beside headers and context: 4.5 MB less room for those.
 */
export const MAX_FORM_BYTES = 4_400_000;

/** Most bytes that one presigned PUT takes (S3: 5 GiB for a single put). */
export const MAX_PUT_BYTES = 5 * 1024 * MIB;

/** How long an upload may take, as in OpenAI's API: long enough for gigabytes on a slow line. */
export const UPLOAD_WINDOW_MS = HOUR_MS;

/** Most parts of an upload, so that their list fits a request and its records are read in a few seconds. */
export const MAX_UPLOAD_PARTS = 10_000;

/** Completion window of batches, the only one that OpenAI's API has. */
export const COMPLETION_WINDOW_MS = 24 * HOUR_MS;

/** Most requests of a batch: the chunks of more would hold the batch's counters for hours. */
export const MAX_BATCH_REQUESTS = 10_000_000;

/** Most pairs of metadata, and their lengths, as in OpenAI's API. */
export const METADATA_LIMITS = { pairs: 16, keyCharacters: 64, valueCharacters: 512 } as const;

/** Most characters of a file name: what file systems take. */
export const MAX_FILE_NAME_CHARACTERS = 255;

/** Bounds of `expires_after.seconds`, as in OpenAI's API. */
export const EXPIRES_AFTER_SECONDS = { min: 3600, max: 2_592_000 } as const;

/** Records on a page of a list: unless told, at most as a caller may ask, and at most as is answered. */
export const PAGE = { usual: 20, asked: 10_000, most: 100 } as const;

/** How long a presigned address of a file's content is good: it is followed at once. */
export const CONTENT_URL_SECONDS = 300;

/** Time after the completion window in which a batch that keeps failing is tried again, before it is given up. */
export const GRACE_MS = 24 * HOUR_MS;
