import { lookup } from 'node:dns/promises';
import ipaddr from 'ipaddr.js';
import { AppError } from '../../../core/errors.ts';

/** An address that may be connected to. */
export interface PinnedAddress {
  readonly address: string;
  readonly family: 4 | 6;
}

/** Finds the addresses of a host name. */
export type Resolve = (hostname: string) => Promise<readonly { readonly address: string; readonly family: number }[]>;

/** Resolves with the operating system. */
export const resolveBySystem: Resolve = (hostname) => lookup(hostname, { all: true, verbatim: true });

/**
 * Resolves a host and chooses the address to connect to. The connection must go to exactly that address. If the name were
 * resolved twice, to check and to connect, the second result could differ (DNS rebinding).
 *
 * @throws AppError `INVALID_WEBHOOK_URL` when any of its addresses is not public, `UNAVAILABLE` when it has none.
 */
export async function pinAddress(hostname: string, resolve: Resolve, allowLoopback: boolean): Promise<PinnedAddress> {
  const literal = hostname.replace(/^\[|\]$/g, '');
  const found = ipaddr.isValid(literal)
    ? [{ address: literal, family: literal.includes(':') ? 6 : 4 }]
    : await resolve(hostname).catch((cause: unknown) => {
        throw new AppError('UNAVAILABLE', 'the host of the webhook does not resolve', { cause });
      });
  const [first] = found;
  if (first === undefined) throw new AppError('UNAVAILABLE', 'the host of the webhook does not resolve');
  const refused = found.find(({ address }) => !isAllowed(address, allowLoopback));
  if (refused !== undefined) {
    throw new AppError('INVALID_WEBHOOK_URL', 'the host of the webhook has an address that is not public');
  }
  return { address: first.address, family: first.family === 6 ? 6 : 4 };
}

/**
 * Returns whether an address is public: global unicast, and not translated on its way (IPv4 in IPv6, NAT64, 6to4, Teredo),
 * because a translated address could lead anywhere (IANA special-purpose address registries).
 */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.parse(address);
  if (parsed.range() !== 'unicast') return false;
  // Only 2000::/3 is in use as global unicast; ipaddr.js calls all that it has no name for unicast.
  return parsed.kind() === 'ipv4' || parsed.match(ipaddr.parse('2000::'), 3);
}

function isAllowed(address: string, allowLoopback: boolean): boolean {
  if (allowLoopback && ipaddr.isValid(address) && ipaddr.parse(address).range() === 'loopback') return true;
  return isPublicAddress(address);
}
