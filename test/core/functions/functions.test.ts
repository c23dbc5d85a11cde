import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { FUNCTIONS, type FunctionDefinition, type FunctionName } from '../../../core/functions/functions.ts';

const ROOT = join(import.meta.dirname, '../../..');
const NAMES = Object.keys(FUNCTIONS) as FunctionName[];

/** The function's entry as one that may have every member. */
function definitionOf(name: FunctionName): FunctionDefinition {
  return FUNCTIONS[name];
}

/** Every setting that the function reads, in a deployment with jobs. */
function settingsOf(name: FunctionName): readonly string[] {
  const { settings, settingsWithJobs } = definitionOf(name);
  return [settings, settingsWithJobs ?? { required: [] }].flatMap(({ required, optional = [] }) => [
    ...required,
    ...optional,
  ]);
}

/** Every list of patterns in biome.json that forbids functions to import one another. */
function forbiddenImports(): string[][] {
  const { overrides } = JSON.parse(readFileSync(join(ROOT, 'biome.json'), 'utf8')) as {
    readonly overrides: readonly {
      readonly linter?: {
        readonly rules?: {
          readonly style?: {
            readonly noRestrictedImports?: {
              readonly options: {
                readonly patterns: readonly { readonly group: string[]; readonly message: string }[];
              };
            };
          };
        };
      };
    }[];
  };
  return overrides
    .flatMap(({ linter }) => linter?.rules?.style?.noRestrictedImports?.options.patterns ?? [])
    .filter(({ message }) => message === 'a function never imports another function.')
    .map(({ group }) => group);
}

describe('the table of functions', () => {
  test('names every folder of lambdas/ that holds a function, and no other', () => {
    const folders = readdirSync(join(ROOT, 'lambdas')).filter((name) => name !== 'shared');
    expect([...NAMES].sort()).toEqual(folders.sort());
  });

  test('agrees with the lint rule by which functions do not import one another', () => {
    const patterns = [...NAMES].sort().map((name) => `**/${name}/**`);
    const groups = forbiddenImports();
    expect(groups).toHaveLength(2);
    for (const group of groups) expect(group).toEqual(patterns);
  });

  test.each(NAMES.filter((name) => settingsOf(name).length > 0))('is where %s reads its settings from', (name) => {
    const entry = readFileSync(join(ROOT, 'lambdas', name, 'index.ts'), 'utf8');
    const constant = name.toUpperCase().replaceAll('-', '_');
    expect(entry).toMatch(new RegExp(`readSettings\\(process\\.env, ${constant}[._]settings\\b`, 'i'));
  });

  test.each(NAMES)('names each setting of %s once', (name) => {
    const all = settingsOf(name);
    expect(all).toEqual([...new Set(all)]);
  });

  test('has one consumer at most for each queue', () => {
    const queues = NAMES.flatMap((name) => definitionOf(name).consumes?.queue ?? []);
    expect(queues).toEqual([...new Set(queues)]);
  });

  test.each(NAMES)('gives %s the URL of every queue that it may send to', (name) => {
    const { permissions } = definitionOf(name);
    const known = new Set<string>(settingsOf(name));
    const variables = { 'dead-letters': 'deadLettersQueue', batches: 'batchesQueue', webhooks: 'webhooksQueue' };
    for (const queue of permissions.sends) expect(known).toContain(variables[queue as keyof typeof variables]);
    if (permissions.sendsToModels !== undefined)
      expect(['queuesPath', 'ownQueues', 'ownJobsQueue'].some((name) => known.has(name))).toBe(true);
    expect(permissions.findsQueues === true).toBe(known.has('queuesPath'));
    if (permissions.notifies === true) expect(known).toContain('eventBus');
  });
});
