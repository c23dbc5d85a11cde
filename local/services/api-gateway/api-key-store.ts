import { randomInt } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { ApiKeyPlan } from '../../template/plan-apis.ts';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** Length of the keys that API Gateway makes. */
const KEY_LENGTH = 40;

/**
 * Gives each API key its value: the template's, else the one of earlier starts, else a new one that is kept for later.
 *
 * @param file - JSON file that keeps values by key name.
 * @returns Values by key id.
 */
export async function readKeyValues(keys: readonly ApiKeyPlan[], file: string): Promise<Map<string, string>> {
  const kept = await readKept(file);
  const values = new Map<string, string>();
  for (const { id, name, value } of keys) {
    kept[name] ??= makeKey();
    values.set(id, value ?? kept[name]);
  }
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `${JSON.stringify(kept, undefined, 2)}\n`, { mode: 0o600 });
  return values;
}

async function readKept(file: string): Promise<Record<string, string>> {
  try {
    const value: unknown = JSON.parse(await readFile(file, 'utf8'));
    const entries = Object.entries(value ?? {}).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string',
    );
    return Object.fromEntries(entries);
  } catch {
    return {}; // None yet, or not ours: new keys replace it.
  }
}

function makeKey(): string {
  return Array.from({ length: KEY_LENGTH }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');
}
