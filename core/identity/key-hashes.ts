/**
 * Prefix of the stage variables that hold the hashes of API keys.
 *
 * API Gateway adds the variables of its stage to the event of an authorizer, so the authorizer calls no service, and a change
 * of keys needs no new version of a function.
 */
const VARIABLE_PREFIX = 'keys_';

/** Maximum length of the value of a stage variable (API Gateway). */
export const MAX_VARIABLE_LENGTH = 512;

/** Keys in one variable: an id of 10 characters, a hash of 43, and two separators, with room for longer ids. */
export const KEYS_PER_VARIABLE = 8;

/** The hash of one API key. */
export interface KeyHash {
  /** Id of the key. */
  readonly id: string;
  /** SHA-256 of the key's value, 43 characters of base64url. */
  readonly hash: string;
}

type Variables = Readonly<Record<string, string | undefined>>;

/** Returns the name of a stage variable that holds hashes. */
export function keyHashesVariable(index: number): string {
  return `${VARIABLE_PREFIX}${index}`;
}

/** Renders the value of a stage variable: `<id>=<hash>` of each key, separated by commas. */
export function renderKeyHashes(hashes: readonly KeyHash[]): string {
  return hashes.map(({ id, hash }) => `${id}=${hash}`).join(',');
}

/** Returns the values of all stage variables that hold hashes, as one text that {@link parseKeyHashes} reads. */
export function joinKeyHashes(variables: Variables): string {
  return Object.entries(variables)
    .filter(([name, value]) => name.startsWith(VARIABLE_PREFIX) && value !== undefined && value !== '')
    .map(([, value]) => value)
    .join(',');
}

/** Reads the hashes of keys. Values that are not hashes are left out, so no key matches them. */
export function parseKeyHashes(text: string): readonly KeyHash[] {
  return text.split(',').flatMap((entry) => {
    const [id = '', hash = ''] = entry.split('=');
    return id !== '' && /^[\w-]{43}$/.test(hash) ? [{ id, hash }] : [];
  });
}
