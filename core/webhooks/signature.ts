/** HMAC-SHA256 of a text with a key. */
export type Hmac = (key: Uint8Array, text: string) => Uint8Array;

/** Prefix of a secret (Standard Webhooks, "Signature scheme", symmetric). */
const SECRET_PREFIX = 'whsec_';

/** Bytes of a secret: the standard requires 24 to 64. */
export const SECRET_BYTES = 32;

/** A message to sign. */
export interface SignedMessage {
  /** `webhook-id`; holds no dot. */
  readonly id: string;
  /** When this attempt is made, seconds since the Unix epoch. */
  readonly timestamp: number;
  readonly body: string;
}

/** Writes random bytes as a secret. */
export function formatSecret(bytes: Uint8Array): string {
  return `${SECRET_PREFIX}${btoa(String.fromCharCode(...bytes))}`;
}

/**
 * Returns the headers of a webhook, signed with every active secret (Standard Webhooks 1.0): while a secret is replaced, a
 * receiver finds a signature of the one that it knows.
 *
 * @param secrets - `whsec_` and base64, the newest first.
 */
export function signedHeaders(message: SignedMessage, secrets: readonly string[], hmac: Hmac): Record<string, string> {
  const { id, timestamp, body } = message;
  const signatures = secrets.map((secret) => `v1,${base64(hmac(keyOf(secret), `${id}.${timestamp}.${body}`))}`);
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': signatures.join(' '),
  };
}

function keyOf(secret: string): Uint8Array {
  return Uint8Array.from(atob(secret.slice(SECRET_PREFIX.length)), (char) => char.charCodeAt(0));
}

function base64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}
