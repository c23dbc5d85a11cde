import { hash, timingSafeEqual } from 'node:crypto';
import { joinKeyHashes, parseKeyHashes } from '../../core/identity/key-hashes.ts';

/** The hash of an API key that the deployment knows. */
interface KnownKey {
  readonly id: string;
  readonly hash: Buffer;
}

/** The API keys that a deployment knows, by their hashes. */
export class KnownKeys {
  #text = '';
  #keys: readonly KnownKey[] = [];

  /**
   * Takes the keys from the stage variables of a request. They are read again only if they have changed.
   *
   * @throws Error when the stage has no hashes: no caller could be admitted, whatever its key.
   */
  update(variables: Readonly<Record<string, string | undefined>>): void {
    const text = joinKeyHashes(variables);
    if (text === '') throw new Error('the stage has no variables with hashes of API keys');
    if (text === this.#text) return;
    this.#keys = parseKeyHashes(text).map(({ id, hash: encoded }) => ({ id, hash: Buffer.from(encoded, 'base64url') }));
    this.#text = text;
  }

  /**
   * Finds a key by its value. The comparison takes the same time for every key and every value of a length.
   *
   * @returns Id of the key; undefined if the deployment does not know the value.
   */
  find(value: string): string | undefined {
    const presented = hash('sha256', value, 'buffer');
    let found: string | undefined;
    for (const key of this.#keys) if (timingSafeEqual(key.hash, presented)) found = key.id;
    return found;
  }
}
