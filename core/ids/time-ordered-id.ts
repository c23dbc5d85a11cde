/** Crockford's base32 in lower case: sorts as its values do, and has no letters that look like digits. */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

/** 50 bits of milliseconds, enough for 35,000 years. */
const TIME_LENGTH = 10;

const TAIL_LENGTH = 16;

/** Bytes that {@link timeOrderedId} reads. */
export const ID_ENTROPY_BYTES = TAIL_LENGTH;

/**
 * Makes an id of 26 characters that sorts by its time, as ULIDs do, and that {@link timeOfId} reads the time from.
 *
 * @param nowMs - Milliseconds since the Unix epoch.
 * @param entropy - At least {@link ID_ENTROPY_BYTES} random bytes, or those of a hash where the id must be the same again.
 */
export function timeOrderedId(nowMs: number, entropy: Uint8Array): string {
  const time = Array.from({ length: TIME_LENGTH }, (_, index) =>
    digit(Math.floor(nowMs / 32 ** (TIME_LENGTH - 1 - index))),
  );
  const tail = Array.from(entropy.subarray(0, TAIL_LENGTH), digit);
  return [...time, ...tail].join('');
}

/**
 * Reads the time of an id that {@link timeOrderedId} made.
 *
 * @returns Milliseconds since the Unix epoch; undefined if it is not such an id.
 */
export function timeOfId(id: string): number | undefined {
  if (id.length !== TIME_LENGTH + TAIL_LENGTH) return undefined;
  let time = 0;
  for (const letter of id) {
    if (!ALPHABET.includes(letter)) return undefined;
  }
  for (const letter of id.slice(0, TIME_LENGTH)) time = time * 32 + ALPHABET.indexOf(letter);
  return time;
}

function digit(value: number): string {
  return ALPHABET.charAt(value % 32);
}
