import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { jobsTableKeys } from '../../../core/jobs/jobs-table.ts';
import { decodeCursor, encodeCursor } from '../../../core/jobs/list-cursor.ts';
import { PAYLOAD_PREFIXES, payloadKeys } from '../../../core/jobs/payload-keys.ts';
import { webhooksTableKeys } from '../../../core/webhooks/webhooks-table.ts';

describe('keys', () => {
  it('differ between items of different kinds and owners', () => {
    const keys = [
      jobsTableKeys.job({ owner: 'a', id: 'x' }),
      jobsTableKeys.job({ owner: 'b', id: 'x' }),
      jobsTableKeys.file('a', 'x'),
      jobsTableKeys.upload('a', 'x'),
      jobsTableKeys.uploadPart('a', 'x'),
      jobsTableKeys.batch('a', 'x'),
      jobsTableKeys.chunk('x', 0),
      jobsTableKeys.asyncRun('x'),
      jobsTableKeys.subscriptions('a'),
      jobsTableKeys.listKey('job', 'a'),
      webhooksTableKeys.secrets('a'),
      webhooksTableKeys.endpoint('a', 'x'),
      webhooksTableKeys.deliveries('a', 'job', 'x'),
      webhooksTableKeys.deliveries('a', 'batch', 'x'),
    ];
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('place objects below the prefix with their lifecycle', () => {
    expect(payloadKeys.jobInput({ owner: 'a', id: 'x' }, 'h')).toMatch(`${PAYLOAD_PREFIXES.jobs}a/x/h/`);
    expect(payloadKeys.jobResult({ owner: 'a', id: 'x' }, 'one')).toBe(`${PAYLOAD_PREFIXES.results}a/x/one`);
    expect(payloadKeys.file('a', 'f')).toBe(`${PAYLOAD_PREFIXES.files}a/f`);
    for (const key of [
      payloadKeys.chunkOutput({ owner: 'a', batchId: 'b', index: 1 }),
      payloadKeys.chunkErrors({ owner: 'a', batchId: 'b', index: 1, attempt: 'x' }),
      payloadKeys.uploadPart('a', 'b', 'p'),
    ]) {
      expect(key.startsWith(payloadKeys.piecesOf('a', 'b'))).toBe(true);
    }
  });
});

describe('cursors', () => {
  it('are read as they were written', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 4_000_000_000_000 }),
        fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/),
        (ms, id) => {
          const listSort = jobsTableKeys.listSort(ms, id);
          expect(decodeCursor(encodeCursor(listSort))).toEqual({ listSort, id });
        },
      ),
    );
  });

  it.each(['', '!!', 'bm90aGluZw', `${encodeCursor('000000000000001/x')}=`])(
    'fails with INVALID_PARAMETER for %j',
    (text) => {
      expect(() => decodeCursor(text)).toThrow(expect.objectContaining({ code: 'INVALID_PARAMETER', param: 'after' }));
    },
  );
});
