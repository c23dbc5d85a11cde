import { promisify } from 'node:util';
import { deflate, gunzip, gzip, inflate } from 'node:zlib';
import { errorCode } from '../../aws/error-code.ts';
import { type HttpResponse, headerOf } from './exchange.ts';
import { GatewayError, MAX_BODY_BYTES } from './gateway-error.ts';

const CODINGS = {
  gzip: { compress: promisify(gzip), decompress: promisify(gunzip) },
  deflate: { compress: promisify(deflate), decompress: promisify(inflate) },
} as const;

type Coding = keyof typeof CODINGS;

/**
 * Decompresses a request body.
 *
 * @returns The plain body; nothing when its coding is one that the gateway passes on as it is.
 * @throws GatewayError `BAD_REQUEST_BODY` when it does not decompress, `REQUEST_TOO_LARGE` when it becomes too large.
 */
export async function decompressRequest(body: Buffer, contentEncoding: string): Promise<Buffer | undefined> {
  const coding = contentEncoding.trim().toLowerCase();
  if (!isCoding(coding)) return undefined;
  try {
    return await CODINGS[coding].decompress(body, { maxOutputLength: MAX_BODY_BYTES });
  } catch (cause) {
    const tooLarge = errorCode(cause) === 'ERR_BUFFER_TOO_LARGE';
    throw new GatewayError(tooLarge ? 'REQUEST_TOO_LARGE' : 'BAD_REQUEST_BODY', undefined, { cause });
  }
}

/**
 * Compresses a response if API Gateway would: it is large enough, not encoded yet, and the client's preferred
 * coding is named and known.
 *
 * @param minimumSize - Smallest body to compress in bytes; undefined where the API does not compress.
 */
export async function compressResponse(
  response: HttpResponse,
  acceptEncoding: string | undefined,
  minimumSize: number | undefined,
): Promise<HttpResponse> {
  if (minimumSize === undefined || response.body.length < minimumSize || response.body.length === 0) return response;
  if (headerOf(response.headers, 'content-encoding') !== undefined) return response;
  const coding = preferredOf(acceptEncoding ?? '');
  if (coding === undefined) return response;
  const body = await CODINGS[coding].compress(response.body);
  return { status: response.status, headers: [...response.headers, ['Content-Encoding', coding]], body };
}

/** The coding with the highest weight, if it is one the gateway knows: a wildcard names none. */
function preferredOf(acceptEncoding: string): Coding | undefined {
  const preferred = acceptEncoding
    .split(',')
    .map((part) => {
      const [name = '', ...parameters] = part.split(';').map((text) => text.trim().toLowerCase());
      const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2);
      return { name, weight: weight === undefined ? 1 : Number(weight) };
    })
    .filter(({ name, weight }) => name !== '' && weight > 0)
    .reduce<{ name: string; weight: number } | undefined>(
      (best, next) => (best === undefined || next.weight > best.weight ? next : best),
      undefined,
    );
  return preferred !== undefined && isCoding(preferred.name) ? preferred.name : undefined;
}

function isCoding(name: string): name is Coding {
  return Object.hasOwn(CODINGS, name);
}
