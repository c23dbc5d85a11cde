import { createHash } from 'node:crypto';

/**
 * Computes the SHA-256 of a list of facts, each delimited from its neighbours.
 *
 * @returns 64 lower-case hexadecimal digits.
 */
export function hashFacts(facts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex');
}
