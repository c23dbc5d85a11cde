import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { AwsRequestHead } from './aws-service.ts';

/** Why a presigned URL is refused, in the words of S3. */
export interface PresignedRefusal {
  readonly status: number;
  readonly type: string;
  readonly message: string;
}

/** How far the clock of who signed may be ahead. */
const MAX_SKEW_MS = 900_000;

/** Longest life of such a URL: seven days. */
const MAX_EXPIRES_SECONDS = 604_800;

const ALGORITHM = 'AWS4-HMAC-SHA256';

const REQUIRED = ['X-Amz-Algorithm', 'X-Amz-Credential', 'X-Amz-Date', 'X-Amz-Expires', 'X-Amz-SignedHeaders'] as const;

/** Returns whether the signature of a request is in its URL. */
export function isPresigned(query: URLSearchParams): boolean {
  return query.has('X-Amz-Signature');
}

/**
 * Verifies a request whose signature is in its URL: that it is complete, in time, and of what was signed.
 *
 * @param secret - Secret of the access key in it.
 * @returns Nothing when it is right.
 * @see {@link https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html}
 */
export function refusePresigned(request: AwsRequestHead, secret: string, nowMs: number): PresignedRefusal | undefined {
  const { query } = request;
  const [algorithm = '', credential = '', date = '', expires = '', signedHeaders = ''] = REQUIRED.map(
    (name) => query.get(name) ?? '',
  );
  const signedMs = parseDate(date);
  const [, scope, day] = /^[^/]+\/((\d{8})\/[^/]+\/[^/]+\/aws4_request)$/.exec(credential) ?? [];
  if (algorithm !== ALGORITHM || signedMs === undefined || day === undefined || scope === undefined) return malformed();
  if (!/^\d+$/.test(expires) || Number(expires) < 1 || Number(expires) > MAX_EXPIRES_SECONDS) return malformed();
  if (!date.startsWith(day)) return malformed();
  if (signedMs > nowMs + MAX_SKEW_MS) return denied('Request is not yet valid');
  if (nowMs > signedMs + Number(expires) * 1000) return denied('Request has expired');
  const names = signedHeaders.split(';');
  const unsigned = Object.keys(request.headers).find(
    (name) => name.startsWith('x-amz-') && name !== 'x-amz-content-sha256' && !names.includes(name),
  );
  if (unsigned !== undefined) return denied('There were headers present in the request which were not signed');
  const text = [ALGORITHM, date, scope, sha256(canonicalRequest(request, names))].join('\n');
  const required = Buffer.from(hmac(signingKey(secret, scope), text).toString('hex'));
  const given = Buffer.from(query.get('X-Amz-Signature') ?? '');
  if (given.length === required.length && timingSafeEqual(given, required)) return undefined;
  return {
    status: 403,
    type: 'SignatureDoesNotMatch',
    message:
      'The request signature we calculated does not match the signature you provided. Check your key and signing method.',
  };
}

function canonicalRequest({ method, path, query, headers }: AwsRequestHead, names: readonly string[]): string {
  const parameters = [...query]
    .filter(([name]) => name !== 'X-Amz-Signature')
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .toSorted();
  const values = names.map(
    (name) =>
      `${name}:${String(headers[name] ?? '')
        .trim()
        .replace(/\s+/g, ' ')}\n`,
  );
  const payload = query.get('X-Amz-Content-Sha256') ?? headers['x-amz-content-sha256'] ?? 'UNSIGNED-PAYLOAD';
  return [method, canonicalPath(path), parameters.join('&'), values.join(''), names.join(';'), payload].join('\n');
}

/** S3 encodes a path once, whatever the client has encoded of it. */
function canonicalPath(path: string): string {
  try {
    return path
      .split('/')
      .map((part) => encode(decodeURIComponent(part)))
      .join('/');
  } catch {
    return path;
  }
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

function signingKey(secret: string, scope: string): Buffer {
  return scope.split('/').reduce<Buffer>((key, part) => hmac(key, part), Buffer.from(`AWS4${secret}`));
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function parseDate(text: string): number | undefined {
  const [, ...parts] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text) ?? [];
  const [year, month, day, hour, minute, second] = parts.map(Number);
  if (year === undefined || month === undefined) return undefined;
  return Date.UTC(year, month - 1, day, hour, minute, second);
}

function denied(message: string): PresignedRefusal {
  return { status: 403, type: 'AccessDenied', message };
}

function malformed(): PresignedRefusal {
  return {
    status: 400,
    type: 'AuthorizationQueryParametersError',
    message: `Query-string authentication requires ${REQUIRED.join(', ')} and X-Amz-Signature, in their own forms`,
  };
}
