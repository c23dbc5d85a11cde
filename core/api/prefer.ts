/** Maximum time to wait for a result: API Gateway times out after 29 seconds. */
export const MAX_WAIT_SECONDS = 25;

/** A caller's preferences about the time of the response (RFC 7240). */
export interface Preferences {
  /** Whether to respond immediately, with a job (RFC 7240 §4.1). */
  readonly respondAsync: boolean;
  /** Seconds to wait for the result before that, {@link MAX_WAIT_SECONDS} at most (RFC 7240 §4.3). */
  readonly waitSeconds?: number;
}

/** A token of HTTP (RFC 9110 §5.6.2). */
const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";

/** A preference up to its parameters: name, then a token or a quoted text. */
const PREFERENCE = new RegExp(`^\\s*(${TOKEN})(?:\\s*=\\s*(?:(${TOKEN})|"((?:[^"\\\\]|\\\\.)*)"))?\\s*(?:;|$)`);

/** The text between two commas outside of quotes. */
const ELEMENT = /(?:[^",]|"(?:[^"\\]|\\.)*"?)+/g;

/**
 * Reads the header `Prefer` (RFC 7240 §2).
 *
 * Unknown and malformed preferences are ignored, as the RFC requires. If a preference is stated twice, the first counts.
 *
 * @param lines - Values of the header, one for each time it was sent.
 */
export function parsePrefer(lines: readonly string[]): Preferences {
  const stated = new Map<string, string>();
  for (const element of lines.flatMap((line) => line.match(ELEMENT) ?? [])) {
    const [, name, token, quoted] = PREFERENCE.exec(element) ?? [];
    if (name === undefined || stated.has(name.toLowerCase())) continue;
    stated.set(name.toLowerCase(), token ?? quoted?.replace(/\\(.)/g, '$1') ?? '');
  }
  const wait = stated.get('wait') ?? '';
  return {
    // A value of respond-async has no meaning; but it does not invalidate the preference.
    respondAsync: stated.has('respond-async'),
    ...(/^\d+$/.test(wait) ? { waitSeconds: Math.min(Number(wait), MAX_WAIT_SECONDS) } : {}),
  };
}
