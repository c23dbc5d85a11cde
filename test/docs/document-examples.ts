import { readFileSync } from 'node:fs';

/** Documents whose examples of HTTP requests stand in every language. */
export const DOCUMENTS = ['README.md', 'docs/api.md', 'docs/jobs.md', 'docs/batches.md', 'docs/webhooks.md'] as const;

/** Languages by the first word behind a fence. */
export const LANGUAGES = { sh: 'curl', py: 'Python', ts: 'TypeScript' } as const;

export type Language = keyof typeof LANGUAGES;

/** A block of code of a document. */
export interface Example {
  readonly document: string;
  readonly language: Language;
  /** Second word behind the fence, the same for the languages of one example. */
  readonly name: string | undefined;
  readonly code: string;
  /** The output that the document shows, as JSON in which `…` stands for more. */
  readonly shown: string | undefined;
}

/** Returns the examples of a document in order. */
export function examplesOf(document: string): readonly Example[] {
  const blocks = [...readFileSync(document, 'utf8').matchAll(/^```(\w+)(?: (\w+))?\n(.*?)^```$/gms)];
  return blocks.flatMap(([, language = '', name, code = '']) => {
    if (!isLanguage(language)) return [];
    const shown = blocks.find(
      ([, kind, of]) => language === 'sh' && kind === 'json' && of !== undefined && of === name,
    );
    return [{ document, language, name, code, shown: shown?.[3] }];
  });
}

function isLanguage(word: string): word is Language {
  return Object.hasOwn(LANGUAGES, word);
}

/** Returns the output lines that the comments of an example promise, in order. */
export function promisedLines({ code }: Pick<Example, 'code'>): readonly string[] {
  return [...code.matchAll(/^\s*(?:print|console\.log)\(.*\);?\s+(?:#|\/\/) (.*)$/gm)]
    .map(([, promised = '']) => promised)
    .filter((promised) => !promised.includes(', if '));
}

/**
 * Compares an output with the one that a document shows. Numbers may differ a little, because processors compute a little
 * differently. Times, addresses and generated ids have to be there.
 *
 * @returns Paths that differ, with both values.
 */
export function differences(actual: unknown, shown: unknown, path = ''): readonly string[] {
  if (Array.isArray(actual) && Array.isArray(shown)) {
    const isCut = typeof shown.at(-1) === 'string' && String(shown.at(-1)).startsWith('…');
    const heads = isCut ? shown.slice(0, -1) : shown;
    if (isCut ? actual.length <= heads.length : actual.length !== heads.length)
      return [`${path}: ${actual.length} items`];
    return heads.flatMap((one, index) => differences(actual[index], one, `${path}[${index}]`));
  }
  if (isObject(actual) && isObject(shown)) {
    const names = new Set([...Object.keys(actual), ...Object.keys(shown)]);
    return [...names].flatMap((name) => differences(actual[name], shown[name], `${path}.${name}`));
  }
  if (typeof actual === 'number' && typeof shown === 'number' && Math.abs(actual - shown) < 0.02) return [];
  if (stable(actual) === stable(shown)) return [];
  return [`${path}: ${JSON.stringify(actual)} instead of ${JSON.stringify(shown)}`];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A value without what differs from run to run. */
function stable(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  return value
    .replace(/https?:\/\/[\w.:]+/g, '<address>')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>')
    .replace(/\b(job|wh|batch|file|upload)[_-][\w]{20,}/g, '<$1>');
}
