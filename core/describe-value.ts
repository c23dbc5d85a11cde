/** Names the kind of a value for a message. The value itself is not shown, because messages are logged. */
export function describeValue(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value === 'number') return describeKind(value);
  if (typeof value === 'boolean') return 'a boolean';
  if (typeof value === 'bigint') return 'a number beyond 2^53';
  if (Array.isArray(value)) return 'an array';
  if (value === undefined) return 'nothing';
  return typeof value === 'string' ? 'a string' : 'an object';
}

/** Describes a value of an input where a number of some range is expected. */
export function describeNumber(value: unknown): string {
  return Number.isInteger(value) ? 'a whole number out of range' : describeValue(value);
}

/** Describes the value of an option, which is no input: numbers and booleans are shown, and the kind of everything else. */
export function describeOption(value: unknown): string {
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : describeValue(value);
}

function describeKind(value: number): string {
  if (Number.isInteger(value)) return 'a whole number';
  return Number.isFinite(value) ? 'a fraction' : 'a number that is not finite';
}
