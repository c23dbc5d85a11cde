import { describe, expect, it } from '@jest/globals';
import { lostLines } from '../../../core/batches/lost-lines.ts';

const parse = (text: string): Record<string, unknown>[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe('lostLines', () => {
  it('are one error line for each request, with its custom_id if it can be read', () => {
    const text = '{"custom_id":"a","method":"POST"}\n\n  \ntorn\n{"custom_id":"b"}';
    const error = { code: 'WORKER_LOST', message: 'gone' } as const;
    expect(
      parse(lostLines('batch_1', { firstLine: 5, error, failed: 3 }, new TextEncoder().encode(text))),
    ).toMatchObject([
      { custom_id: 'a', response: null, error: { code: 'WORKER_LOST', message: 'gone', line: 5 } },
      { custom_id: null, error: { line: 8 } },
      { custom_id: 'b', error: { line: 9 } },
    ]);
  });

  it('are one for each failed request, without a custom_id, if the file does not exist', () => {
    expect(parse(lostLines('batch_1', { firstLine: 5, failed: 2 }, undefined))).toMatchObject([
      { custom_id: null, error: { code: 'WORKER_LOST', line: 5 } },
      { custom_id: null, error: { code: 'WORKER_LOST', line: 6 } },
    ]);
  });
});
