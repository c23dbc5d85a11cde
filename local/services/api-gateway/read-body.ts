import type { Readable } from 'node:stream';
import { GatewayError } from './gateway-error.ts';

/** Multiple of the limit that a client may send before it gets the response without the rest being read. */
const PATIENCE = 4;

/**
 * Reads a request's body.
 *
 * A body over the limit is read on, and thrown away: a client that is still sending when the connection closes sees a
 * broken pipe and never the response.
 *
 * @param maxBytes - Maximum accepted size in bytes.
 * @throws GatewayError `REQUEST_TOO_LARGE` beyond that.
 */
export async function readBody(stream: Readable, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes * PATIENCE) break;
    if (bytes <= maxBytes) chunks.push(chunk);
    else chunks.length = 0;
  }
  if (bytes <= maxBytes) return Buffer.concat(chunks, bytes);
  const cause = new RangeError(`the body has more than ${maxBytes} bytes`);
  throw new GatewayError('REQUEST_TOO_LARGE', undefined, { cause });
}
