import type { APIGatewayProxyResult } from 'aws-lambda';
import { AppError } from '../../core/errors.ts';
import { cancelBatch, listBatches, showBatch } from './batches.ts';
import type { Call } from './call.ts';
import { completeUpload } from './complete-upload.ts';
import { createBatch } from './create-batch.ts';
import { createFile } from './create-file.ts';
import { deleteFile, listFiles, redirectToContent, showFile } from './files.ts';
import { addPart, cancelUpload, createUpload } from './uploads.ts';

/** Answers one request. */
type Operation = (call: Call, id: string) => Promise<APIGatewayProxyResult>;

/** A path, and what each method does there. */
interface Route {
  readonly path: RegExp;
  readonly operations: Readonly<Record<string, Operation>>;
}

/** What every id looks like; other texts are the id of nothing. */
const ID = '([A-Za-z0-9_-]{1,100})';

const ROUTES: readonly Route[] = [
  route('/v1/files', { GET: listFiles, POST: createFile }),
  route(`/v1/files/${ID}`, { GET: showFile, DELETE: deleteFile }),
  route(`/v1/files/${ID}/content`, { GET: redirectToContent }),
  route('/v1/uploads', { POST: createUpload }),
  route(`/v1/uploads/${ID}/parts`, { POST: addPart }),
  route(`/v1/uploads/${ID}/complete`, { POST: completeUpload }),
  route(`/v1/uploads/${ID}/cancel`, { POST: cancelUpload }),
  route('/v1/batches', { GET: listBatches, POST: createBatch }),
  route(`/v1/batches/${ID}`, { GET: showBatch }),
  route(`/v1/batches/${ID}/cancel`, { POST: cancelBatch }),
];

/**
 * Finds what answers a request; the gateway sends everything below a few paths here.
 *
 * @throws AppError `ROUTE_NOT_FOUND`, or `METHOD_NOT_ALLOWED` where the path answers others.
 */
export function findOperation(method: string, path: string): (call: Call) => Promise<APIGatewayProxyResult> {
  const found = findRoute(path);
  if (found === undefined) throw new AppError('ROUTE_NOT_FOUND', 'there is no such route');
  const operation = Object.hasOwn(found.operations, method) ? found.operations[method] : undefined;
  if (operation === undefined) {
    throw new AppError('METHOD_NOT_ALLOWED', `the route answers ${allowedMethods(path)}`);
  }
  return (call) => operation(call, found.id);
}

/** Methods that a path answers, as the header `Allow` lists them. */
export function allowedMethods(path: string): string {
  return Object.keys(findRoute(path)?.operations ?? {}).join(', ');
}

function findRoute(path: string) {
  for (const { path: pattern, operations } of ROUTES) {
    const match = pattern.exec(path);
    if (match !== null) return { operations, id: match[1] ?? '' };
  }
  return undefined;
}

function route(path: string, operations: Route['operations']): Route {
  return { path: new RegExp(`^${path}$`), operations };
}
