import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { AppError } from '../../core/errors.ts';
import { checkWebhookUrl } from '../../core/webhooks/webhook-url.ts';
import { type PinnedAddress, pinAddress, type Resolve } from '../shared/notifications/public-address.ts';

/** Maximum bytes of a response that are read. Its content is ignored. */
const MAX_RESPONSE_BYTES = 64 * 1024;

/** Maximum size of the headers of a response, in bytes. */
const MAX_HEADER_BYTES = 16 * 1024;

/** Dependencies of {@link createPost}. */
export interface PostOptions {
  /** Whether webhooks may go to this machine; in local mode only. */
  readonly allowLoopback: boolean;
  readonly resolve: Resolve;
}

/** A receiver's response. */
export interface PostResponse {
  readonly status: number;
  readonly retryAfter: string | undefined;
}

/** A webhook to post. */
export interface PostRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Maximum duration in milliseconds, from the DNS lookup to the end of the response. */
  readonly limitMs: number;
}

/** Posts a webhook. */
export type Post = (request: PostRequest) => Promise<PostResponse>;

/**
 * Creates a function that POSTs a webhook. It connects only to the public address that was checked, never follows
 * redirects, and limits time and memory.
 *
 * @returns A function that throws AppError `INVALID_WEBHOOK_URL`, `UNAVAILABLE` or `TIMEOUT`.
 */
export function createPost({ allowLoopback, resolve }: PostOptions): Post {
  return async ({ url: text, headers, body, limitMs }) => {
    checkWebhookUrl(text, { allowLoopback });
    const url = new URL(text);
    const limit = AbortSignal.timeout(limitMs);
    const over = new Promise<never>((_, reject) => {
      limit.addEventListener('abort', () => reject(timeout(limitMs)), { once: true });
    });
    // The first to settle decides. The other must not become an unhandled rejection.
    over.catch(() => undefined);
    const pinned = await Promise.race([pinAddress(url.hostname, resolve, allowLoopback), over]);
    return Promise.race([send(url, { headers, body, pinned, limit }), over]);
  };
}

interface SendOptions {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly pinned: PinnedAddress;
  readonly limit: AbortSignal;
}

function send(url: URL, { headers, body, pinned, limit }: SendOptions): Promise<PostResponse> {
  const { promise, resolve, reject } = Promise.withResolvers<PostResponse>();
  const fail = (cause: unknown): void =>
    reject(new AppError('UNAVAILABLE', `the receiver cannot be reached: ${codeOf(cause)}`, { cause }));
  const request = (url.protocol === 'https:' ? requestHttps : requestHttp)(url, {
    method: 'POST',
    agent: false,
    signal: limit,
    maxHeaderSize: MAX_HEADER_BYTES,
    // The connection uses the checked address, even if the name resolves to another one now.
    lookup: (_hostname, options, callback) =>
      options.all === true ? callback(null, [pinned]) : callback(null, pinned.address, pinned.family),
    headers: {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'user-agent': 'Tensorgate-Webhooks/1',
      ...headers,
    },
  });
  // `on`, not `once`: a connection can fail more than once, and an unhandled 'error' event ends the process.
  request.on('error', fail);
  request.once('response', (response) => {
    drain(response).then(
      () => resolve({ status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'] }),
      fail,
    );
  });
  request.end(body);
  return promise;
}

/** Reads a response to its end or to its maximum size. */
async function drain(response: IncomingMessage): Promise<void> {
  let bytes = 0;
  for await (const chunk of response) {
    bytes += (chunk as Buffer).length;
    if (bytes > MAX_RESPONSE_BYTES) break;
  }
  response.destroy();
}

function timeout(limitMs: number): AppError {
  return new AppError('TIMEOUT', `the receiver took longer than ${limitMs / 1000} s`);
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'connection failed';
}
