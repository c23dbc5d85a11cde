/**
 * The one way in which messages show the data of callers: by type and size, never by value, because messages are logged,
 * recorded and sent to others. Values of configuration files are shown by `parse` of `core/parse.ts` only.
 */

/** The largest declared length that is shown: no body holds more elements, so a longer one describes no data. */
const MAX_SHOWN_LENGTH = 10_000_000;

/** Maximum dimensions of a shape that are shown. */
const MAX_SHOWN_DIMENSIONS = 8;

/** Names the kind of a value. */
export function describeValue(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value === 'number') return describeKind(value);
  if (typeof value === 'boolean') return 'a boolean';
  if (typeof value === 'bigint') return 'a number beyond 2^53';
  if (Array.isArray(value)) return 'an array';
  if (value === undefined) return 'nothing';
  return typeof value === 'string' ? 'a string' : 'an object';
}

/** Describes a value where a number of some range is expected. */
export function describeNumber(value: unknown): string {
  return Number.isInteger(value) ? 'a whole number out of range' : describeValue(value);
}

/** Media types and content codings that requests often have by mistake. */
const COMMON_TOKENS =
  /^(?:application\/(?:octet-stream|xml|x-www-form-urlencoded)|multipart\/form-data|text\/plain|br|zstd)$/;

/** Describes a media type or a content coding, of which only common ones are shown. */
export function describeToken(token: string): string {
  return COMMON_TOKENS.test(token) ? token : `another of ${token.length} characters`;
}

/** Describes a name that the request may not have. */
export function describeName(name: string): string {
  return `a name of ${name.length} characters`;
}

/** Describes a length that a request declares, before it is known whether its data has it. */
export function describeLength(length: number): string {
  return length <= MAX_SHOWN_LENGTH ? String(length) : `more than ${MAX_SHOWN_LENGTH}`;
}

/** Describes the shape of a tensor, as {@link describeLength} describes each dimension. */
export function describeShape(shape: readonly number[]): string {
  const shown = shape.slice(0, MAX_SHOWN_DIMENSIONS).map(describeLength).join(', ');
  return shape.length > MAX_SHOWN_DIMENSIONS ? `[${shown}, …] of ${shape.length} dimensions` : `[${shown}]`;
}

function describeKind(value: number): string {
  if (Number.isInteger(value)) return 'a whole number';
  return Number.isFinite(value) ? 'a fraction' : 'a number that is not finite';
}
