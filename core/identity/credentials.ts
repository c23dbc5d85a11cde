/** Ways in which a caller may present its API key: `Authorization: Bearer <key>`, or the header `x-api-key`. */
export const KEY_HEADERS = ['bearer', 'x-api-key'] as const;

/** A way to present an API key. */
export type KeyHeader = (typeof KEY_HEADERS)[number];

/** Headers of a request by name, in any case. */
type Headers = Readonly<Record<string, string | undefined>>;

/** The scheme is compared without case (RFC 9110 §11.1). A key holds no spaces. */
const BEARER = /^bearer +(\S+)$/i;

/**
 * Lists the keys that a request presents, at most one for each accepted header.
 *
 * `x-api-key` comes first: OpenAI's clients always send an `Authorization` header, and callers who set `x-api-key` in them
 * fill it with a word that is not a key.
 *
 * @param accepted - The headers that the deployment accepts.
 */
export function presentedKeys(headers: Headers, accepted: readonly KeyHeader[]): readonly string[] {
  const own = accepted.includes('x-api-key') ? headerOf(headers, 'x-api-key') : undefined;
  const bearer = accepted.includes('bearer') ? headerOf(headers, 'authorization') : undefined;
  return [own?.trim() ?? '', BEARER.exec(bearer?.trim() ?? '')?.[1] ?? ''].filter((key) => key !== '');
}

/** Returns how the accepted headers are written in messages: `Authorization: Bearer <key> or x-api-key: <key>`. */
export function describeKeyHeaders(accepted: readonly KeyHeader[]): string {
  const forms = { bearer: 'Authorization: Bearer <key>', 'x-api-key': 'x-api-key: <key>' } as const;
  return accepted.map((header) => forms[header]).join(' or ');
}

function headerOf(headers: Headers, name: string): string | undefined {
  const found = Object.keys(headers).find((key) => key.toLowerCase() === name);
  return found === undefined ? undefined : headers[found];
}
