import { checkFinite, notFinite } from './finite.ts';

// Buffer is the one part of Node that core/ uses. Without it base64 takes ten times as long: neither `btoa` nor a loop comes
// close, and Node 24 has no Uint8Array.prototype.toBase64.

/** Significant digits to try: with nine every float32 reads back exactly (IEEE 754-2019 §5.12.2), most need eight. */
const FEWEST_DIGITS = 7;
const MOST_DIGITS = 9;

/** Decimal exponents of values that are written as plain decimals. Smaller and larger values take a slower path. */
const SMALLEST_EXPONENT = -6;
const LARGEST_EXPONENT = 5;

/** Maximum length of a value and the comma after it, in bytes: `-100000000000000000000,` has 23. */
const MOST_BYTES = 23;

/** Powers of ten up to 10^22 are exact doubles, so dividing by one rounds just as parsing the decimals does. */
const POWERS = Float64Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`));

/** The float32 nearest to each power of ten, from {@link SMALLEST_EXPONENT} to one beyond {@link LARGEST_EXPONENT}. */
const THRESHOLDS = Float32Array.from({ length: LARGEST_EXPONENT - SMALLEST_EXPONENT + 2 }, (_, index) =>
  Number(`1e${SMALLEST_EXPONENT + index}`),
);

const COMMA = 0x2c;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;

/**
 * Writes float32 values as JSON numbers separated by commas; each reads back to the same bits, the sign of zero included.
 *
 * `JSON.stringify` widens a float32 to a double and prints up to 17 digits of it; nine distinguish all float32.
 *
 * @param writeNonFinite - Writes NaN and infinity, for which JSON has no number. By default they are refused.
 * @throws AppError `ANSWER_NOT_FINITE` when a value is NaN or infinite and no other way to write it is given.
 */
export function writeFloat32(values: Float32Array, writeNonFinite: WriteNonFinite = refuse): string {
  const bytes = Buffer.allocUnsafe(values.length * MOST_BYTES);
  let at = 0;
  for (let index = 0; index < values.length; index++) {
    if (index > 0) bytes[at++] = COMMA;
    at = writeValue(bytes, at, values[index] ?? 0, writeNonFinite);
  }
  return bytes.toString('latin1', 0, at);
}

/** Returns the text of NaN or infinity. */
type WriteNonFinite = (value: number) => string;

function refuse(): never {
  throw notFinite();
}

function writeValue(bytes: Buffer, start: number, value: number, writeNonFinite: WriteNonFinite): number {
  const magnitude = Math.abs(value);
  const exponent = exponentOf(magnitude);
  if (exponent === undefined) return start + bytes.write(exceptionalText(value, writeNonFinite), start, 'latin1');
  let at = start;
  if (value < 0) bytes[at++] = MINUS;
  let digits = FEWEST_DIGITS - 1;
  let whole: number;
  let scale: number;
  do {
    scale = POWERS[digits - exponent] ?? 1;
    whole = Math.round(magnitude * scale) | 0;
    digits++;
  } while (digits < MOST_DIGITS && Math.fround(whole / scale) !== magnitude);
  while (whole % 10 === 0) {
    whole = (whole / 10) | 0;
    digits--;
  }
  return exponent < 0
    ? writeFraction(bytes, at, whole, digits, exponent)
    : writeMixed(bytes, at, whole, digits, exponent);
}

/** The power of ten of a value's first digit; undefined where plain decimals would be long. */
function exponentOf(magnitude: number): number | undefined {
  if (!(magnitude >= (THRESHOLDS[0] ?? 0))) return undefined;
  for (let index = 1; index < THRESHOLDS.length; index++) {
    if (magnitude < (THRESHOLDS[index] ?? 0)) return SMALLEST_EXPONENT + index - 1;
  }
  return undefined;
}

/** Writes a value below one. */
function writeFraction(bytes: Buffer, start: number, whole: number, digits: number, exponent: number): number {
  const first = start + 1 - exponent;
  for (let at = start; at < first; at++) bytes[at] = ZERO;
  bytes[start + 1] = POINT;
  writeDigits(bytes, first, whole, digits);
  return first + digits;
}

/** Writes a value of one or more. */
function writeMixed(bytes: Buffer, start: number, whole: number, digits: number, exponent: number): number {
  const integerDigits = exponent + 1;
  const fractionDigits = digits - integerDigits;
  if (fractionDigits <= 0) {
    writeDigits(bytes, start, whole * (POWERS[-fractionDigits] ?? 1), integerDigits);
    return start + integerDigits;
  }
  const unit = POWERS[fractionDigits] ?? 1;
  const integer = Math.trunc(whole / unit);
  writeDigits(bytes, start, integer, integerDigits);
  bytes[start + integerDigits] = POINT;
  writeDigits(bytes, start + integerDigits + 1, whole - integer * unit, fractionDigits);
  return start + digits + 1;
}

function writeDigits(bytes: Buffer, start: number, whole: number, digits: number): void {
  let rest = whole;
  for (let at = start + digits - 1; at >= start; at--) {
    const tens = (rest / 10) | 0;
    bytes[at] = ZERO + rest - tens * 10;
    rest = tens;
  }
}

/** Zero, and values too small or too large for plain decimals. */
function exceptionalText(value: number, writeNonFinite: WriteNonFinite): string {
  if (!Number.isFinite(value)) return writeNonFinite(value);
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0';
  for (let digits = FEWEST_DIGITS; digits < MOST_DIGITS; digits++) {
    const rounded = Number(value.toPrecision(digits));
    if (Math.fround(rounded) === value) return String(rounded);
  }
  return String(Number(value.toPrecision(MOST_DIGITS)));
}

/**
 * Encodes float32 values as the base64 text of their little-endian bytes.
 *
 * @throws AppError `ANSWER_NOT_FINITE` as {@link writeFloat32} does, so that a result does not depend on its encoding.
 */
export function encodeFloat32Base64(values: Float32Array): string {
  checkFinite(values);
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('base64');
}
