import { AppError } from '../errors.ts';

/** Where webhooks may go. */
export interface WebhookUrlOptions {
  /** Whether this machine may be called, over plain HTTP too; in local mode only. */
  readonly allowLoopback: boolean;
  /** Member or header of the request that holds the URL, for the error. Defaults to `webhook_url`. */
  readonly param?: string;
}

const MAX_CHARACTERS = 2048;

/** Hosts of this machine, as URLs have them. */
const LOOPBACK = /^(?:localhost|127\.0\.0\.1|\[::1\])$/;

/** Host names are the network's own, or reserved (RFC 6761, RFC 6762, RFC 8375, ICANN's `.internal`). */
const PRIVATE_NAME = /(?:^|\.)(?:localhost|local|internal|intranet|lan|home|corp|home\.arpa|test|invalid|example)$/;

/** A URL's host if it is an IP address: dotted IPv4 (the URL parser converts any other notation to it), or IPv6. */
const ADDRESS = /^(?:\d{1,3}(?:\.\d{1,3}){3}|\[.*\])$/;

/**
 * Checks the text of a webhook's URL. Each delivery checks the address that the host resolves to.
 *
 * @throws AppError `INVALID_WEBHOOK_URL` when it is not HTTPS to a public host name.
 */
export function checkWebhookUrl(url: string, { allowLoopback, param = 'webhook_url' }: WebhookUrlOptions): void {
  const invalid = (rule: string) => new AppError('INVALID_WEBHOOK_URL', `the webhook URL ${rule}`, { param });
  if (url.length > MAX_CHARACTERS || !URL.canParse(url)) {
    throw invalid(`must be a URL of ${MAX_CHARACTERS} characters at most`);
  }
  const { protocol, hostname, username, password } = new URL(url);
  if (username !== '' || password !== '') throw invalid('must not contain a user name or password');
  const isLoopback = LOOPBACK.test(hostname);
  if (allowLoopback && isLoopback && (protocol === 'http:' || protocol === 'https:')) return;
  if (protocol !== 'https:')
    throw invalid(`must be an https URL, got ${protocol === 'http:' ? 'http' : 'another scheme'}`);
  if (ADDRESS.test(hostname)) throw invalid('must contain a host name: IP addresses are not called');
  const name = hostname.replace(/\.$/, '');
  if (!name.includes('.') || PRIVATE_NAME.test(name)) throw invalid('must name a public host');
}

/**
 * Returns the one form of a URL that all its spellings share: `HTTPS://Example.com` and ` https://example.com/` are the same.
 * URLs are compared and called in this form.
 *
 * @param url - A URL that {@link checkWebhookUrl} accepted.
 */
export function canonicalUrl(url: string): string {
  return new URL(url).href;
}

/**
 * Returns the receiver behind a URL: its host. Receivers on this machine have a port each.
 *
 * @param url - A URL that {@link checkWebhookUrl} accepted.
 */
export function receiverOf(url: string): string {
  const { hostname, host } = new URL(url);
  return LOOPBACK.test(hostname) ? host : hostname.replace(/\.$/, '');
}
