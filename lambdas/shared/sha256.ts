import { hash } from 'node:crypto';

/** Returns the SHA-256 of some bytes, 43 characters of base64url. */
export function sha256(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'base64url');
}
