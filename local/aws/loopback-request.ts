import type { IncomingHttpHeaders } from 'node:http';

/** Names of this machine that no DNS server answers for (RFC 6761 §6.3), with or without a port. */
const LOOPBACK = /^(?:localhost|(?:[\w-]+\.)+localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/i;

/** Why {@link isLoopbackRequest} refuses a request. */
export const NOT_LOOPBACK =
  'local mode serves this machine only: Host, and Origin if there is one, must be localhost or 127.0.0.1';

/**
 * Returns whether a request was meant for this machine. A page of another site can make a browser send requests here, by its
 * own name if that resolves to 127.0.0.1 (DNS rebinding): its name is then the `Host`, or its origin the `Origin`.
 */
export function isLoopbackRequest({ host, origin }: IncomingHttpHeaders): boolean {
  if (host !== undefined && !LOOPBACK.test(host)) return false;
  return origin === undefined || LOOPBACK.test(origin.replace(/^https?:\/\//i, ''));
}
