/**
 * Names the kind of a value for a message; numbers and booleans are shown, because they contain no text of the caller.
 */
export function describeValue(value: unknown): string {
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (typeof value === 'bigint') return 'a number beyond 2^53';
  if (Array.isArray(value)) return 'an array';
  if (value === undefined) return 'nothing';
  return typeof value === 'string' ? 'a string' : 'an object';
}
