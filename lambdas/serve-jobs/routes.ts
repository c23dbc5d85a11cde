import type { APIGatewayProxyResult } from 'aws-lambda';
import { AppError } from '../../core/errors.ts';
import type { Call } from './call.ts';
import { cancelJob, listJobs, putJob, showJob } from './jobs.ts';

/** Answers one request. */
type Operation = (call: Call, id: string) => Promise<APIGatewayProxyResult>;

/** A path, and what each method does there. */
interface Route {
  readonly path: RegExp;
  readonly operations: Readonly<Record<string, Operation>>;
}

const ROUTES: readonly Route[] = [
  { path: /^\/v1\/jobs$/, operations: { GET: listJobs } },
  { path: /^\/v1\/jobs\/([^/]+)$/, operations: { GET: showJob, PUT: putJob } },
  { path: /^\/v1\/jobs\/([^/]+)\/cancel$/, operations: { POST: cancelJob } },
];

/** Paths that webhooks have to do with, which answer for themselves. */
const WEBHOOKS = /^\/v1\/(?:webhooks(?:\/.*)?|jobs\/[^/]+\/deliveries(?:\/.*)?)$/;

/**
 * Finds what answers a request; the gateway sends everything below a few paths here.
 *
 * @throws AppError `ROUTE_NOT_FOUND`, or `METHOD_NOT_ALLOWED` where the path answers others.
 */
export function findOperation(method: string, path: string): (call: Call) => Promise<APIGatewayProxyResult> {
  if (WEBHOOKS.test(path)) return answerWebhooks;
  const found = findRoute(path);
  if (found === undefined) throw new AppError('ROUTE_NOT_FOUND', 'there is no such route');
  const operation = Object.hasOwn(found.operations, method) ? found.operations[method] : undefined;
  if (operation === undefined)
    throw new AppError('METHOD_NOT_ALLOWED', `the route answers ${Object.keys(found.operations).join(', ')}`);
  return (call) => operation(call, found.id);
}

/** Methods that a path answers, as the header `Allow` lists them. */
export async function allowedMethods(path: string): Promise<string | undefined> {
  if (WEBHOOKS.test(path)) return (await import('./serve-webhooks.ts')).allowedWebhookMethods(path);
  const found = findRoute(path);
  return found === undefined ? undefined : Object.keys(found.operations).join(', ');
}

/** Few requests are about webhooks: what they need is loaded for them. */
async function answerWebhooks({ event, deps }: Call): Promise<APIGatewayProxyResult> {
  const { serveWebhooks } = await import('./serve-webhooks.ts');
  return serveWebhooks(event, await deps.webhooks());
}

function findRoute(path: string) {
  for (const { path: pattern, operations } of ROUTES) {
    const match = pattern.exec(path);
    if (match !== null) return { operations, id: match[1] ?? '' };
  }
  return undefined;
}
