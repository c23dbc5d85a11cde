import { createHash } from 'node:crypto';

/**
 * SHA-256 over a list of facts, each kept apart from its neighbours.
 *
 * @returns 64 lower-case hexadecimal digits.
 */
export function hashFacts(facts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex');
}
