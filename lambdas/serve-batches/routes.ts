import { LARGER_FILES, MAX_FORM_BYTES } from '../../core/files/limits.ts';
import type { HttpRoute } from '../shared/http/http-handler.ts';
import { cancelBatch, deleteBatch, listBatches, showBatch } from './batches.ts';
import type { Call } from './call.ts';
import { completeUpload } from './complete-upload.ts';
import { createBatch } from './create-batch.ts';
import { createFile } from './create-file.ts';
import { deleteFile, listFiles, redirectToContent, showFile } from './files.ts';
import { addPart, cancelUpload, createUpload } from './uploads.ts';
import { showUsage } from './usage.ts';

/** Pattern of every id; a path with any other text has no route. */
const ID = /^[A-Za-z0-9_-]{1,100}$/;

/** Limit of a JSON body: the ids of ten thousand parts take a third of it. */
const JSON_BODY = {
  maxBytes: 1024 * 1024,
  advice: 'send only the members that the route reads; the bytes of a file come in a form or to its upload_url',
} as const;

/** Limit of a form with a file, or with a part of one. */
const FORM_BODY = { maxBytes: MAX_FORM_BYTES, advice: `the file is too large for one form: ${LARGER_FILES}` } as const;

const FILE_ROUTES: readonly HttpRoute<Call>[] = [
  { method: 'GET', path: '/v1/files', run: listFiles },
  { method: 'POST', path: '/v1/files', body: FORM_BODY, run: createFile },
  { method: 'GET', path: '/v1/files/{id}', run: showFile },
  { method: 'DELETE', path: '/v1/files/{id}', run: deleteFile },
  { method: 'GET', path: '/v1/files/{id}/content', run: redirectToContent },
];

const UPLOAD_ROUTES: readonly HttpRoute<Call>[] = [
  { method: 'POST', path: '/v1/uploads', body: JSON_BODY, run: createUpload },
  { method: 'POST', path: '/v1/uploads/{id}/parts', body: FORM_BODY, run: addPart },
  { method: 'POST', path: '/v1/uploads/{id}/complete', body: JSON_BODY, run: completeUpload },
  { method: 'POST', path: '/v1/uploads/{id}/cancel', run: cancelUpload },
];

const BATCH_ROUTES: readonly HttpRoute<Call>[] = [
  { method: 'GET', path: '/v1/batches', run: listBatches },
  { method: 'POST', path: '/v1/batches', body: JSON_BODY, run: createBatch },
  { method: 'GET', path: '/v1/batches/{id}', run: showBatch },
  { method: 'DELETE', path: '/v1/batches/{id}', run: deleteBatch },
  { method: 'POST', path: '/v1/batches/{id}/cancel', run: cancelBatch },
];

const USAGE_ROUTES: readonly HttpRoute<Call>[] = [{ method: 'GET', path: '/v1/usage', run: showUsage }];

/** The routes of files, uploads, batches and usage. */
export const ROUTES: readonly HttpRoute<Call>[] = [
  ...FILE_ROUTES,
  ...UPLOAD_ROUTES,
  ...BATCH_ROUTES,
  ...USAGE_ROUTES,
].map((route) => ({
  ...route,
  parameters: ID,
}));
