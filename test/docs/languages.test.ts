import { describe, expect, test } from '@jest/globals';
import { DOCUMENTS, differences, examplesOf, LANGUAGES, promisedLines } from './document-examples.ts';

/** A receiver sends no request. */
const EXCEPTIONS: Readonly<Record<string, readonly string[]>> = { receive: ['py', 'ts'] };

describe.each(DOCUMENTS)('the examples of %s', (document) => {
  const examples = examplesOf(document);
  const callers = examples.filter(({ code }) => /API_URL|WEBHOOK_SECRET/.test(code) && !code.startsWith('export '));

  test('have a name each if they send requests', () => {
    expect(callers.length).toBeGreaterThan(1);
    expect(callers.filter(({ name }) => name === undefined).map(({ code }) => code)).toEqual([]);
  });

  test('exist in curl, Python and TypeScript', () => {
    for (const name of new Set(callers.map((example) => example.name))) {
      const languages = callers.filter((example) => example.name === name).map(({ language }) => language);
      const expected = EXCEPTIONS[name ?? ''] ?? Object.keys(LANGUAGES);
      expect({ name, languages: languages.toSorted() }).toEqual({ name, languages: expected.toSorted() });
    }
  });
});

test('an output differs from the shown one by a member, a number or a text, but not by times and ids', () => {
  const shown = { id: 'job_01m8fxd381h45hfq07xfv4z0nh', at: '2026-11-28T01:48:04.228Z', vector: [0.1, '…'] };
  const same = { id: 'job_01m8fxd381h45hfq07xfv4z0zz', at: '2027-01-01T00:00:00.000Z', vector: [0.11, 0.2, 0.3] };
  expect(differences(same, shown)).toEqual([]);
  expect(differences({ ...same, vector: [0.5, 0.2] }, shown)).toEqual(['.vector[0]: 0.5 instead of 0.1']);
  expect(differences({ ...same, more: 1 }, shown)).toEqual(['.more: 1 instead of undefined']);
  expect(differences({ ...same, id: 'batch_01m8fxd381h45hfq07xfv4z0nh' }, shown)).toHaveLength(1);
});

test('the promised lines of an example are the comments behind what it prints', () => {
  expect(promisedLines({ code: 'print(1)  # 1\nprint(2)\nconsole.log(a); // b c\nprint(x)  # y, if z\n' })).toEqual([
    '1',
    'b c',
  ]);
});
