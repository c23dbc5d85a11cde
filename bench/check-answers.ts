import { setTimeout as wait } from 'node:timers/promises';
import type { LoadTarget } from './load.ts';
import { readGolden } from './model-files.ts';
import { MODEL_ID } from './repository.ts';
import { cosine } from './statistics.ts';

/** Texts that each server must embed before it is measured. */
const TEXTS = 24;

/** Longer texts are cut by servers at different lengths. */
const MAX_TOKENS = 200;

/** An int8 model stays this close to its reference on every text; a server that pools wrongly does not. */
const MIN_COSINE = 0.97;

const RETRY_MS = 100;
const RETRY_LIMIT_MS = 60_000;

/** How close the answers of a server are to those of the independent fp32 reference. */
export interface AnswerCheck {
  readonly meanCosine: number;
  readonly minCosine: number;
}

/**
 * Waits until a server answers, then compares its answers with the golden vectors.
 *
 * @throws Error when an answer is too far off: a server that computes something else must not be measured.
 */
export async function checkAnswers(target: LoadTarget): Promise<AnswerCheck> {
  const items = readGolden()
    .filter(({ ids, text }) => ids.length <= MAX_TOKENS && text.trim() !== '')
    .slice(0, TEXTS);
  const cosines: number[] = [];
  for (const { text, embedding } of items) cosines.push(cosine(await askUntilUp(target, text), embedding));
  const minCosine = Math.min(...cosines);
  if (!(minCosine >= MIN_COSINE)) {
    throw new Error(
      `${target.url} is wrong: its least cosine with the reference is ${minCosine}, at least ${MIN_COSINE} is needed`,
    );
  }
  return { meanCosine: cosines.reduce((sum, value) => sum + value, 0) / cosines.length, minCosine };
}

/** Servers of several processes listen before they answer. */
async function askUntilUp(target: LoadTarget, text: string): Promise<readonly number[]> {
  const endMs = performance.now() + RETRY_LIMIT_MS;
  for (;;) {
    try {
      return await ask(target, text);
    } catch (error) {
      if (performance.now() > endMs) throw error;
      await wait(RETRY_MS);
    }
  }
}

async function ask({ url, headers }: LoadTarget, text: string): Promise<readonly number[]> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ model: MODEL_ID, input: text, encoding_format: 'float' }),
    signal: AbortSignal.timeout(10_000),
  });
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  const { data } = (await response.json()) as { readonly data: readonly { readonly embedding: readonly number[] }[] };
  return data[0]?.embedding ?? [];
}
