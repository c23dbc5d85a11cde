import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { DUE_SHARDS, jobsTableKeys } from '../../../core/jobs/jobs-table.ts';
import { DUE_ATTRIBUTES, dueAttributes, parseDueRecord } from '../../../core/sweep/due.ts';

describe('due records', () => {
  it('names the owner and the id of a due job', () => {
    const key = jobsTableKeys.job({ owner: 'acme', id: 'nightly' });
    expect(parseDueRecord(key, 5)).toEqual({ kind: 'job', owner: 'acme', id: 'nightly', dueAtMs: 5 });
  });

  it.each(['chunk/batch_1/0', 'job/acme', 'job/acme/a/b', 'job', ''])('ignores the key %j', (key) => {
    expect(parseDueRecord(key, 5)).toBeUndefined();
  });

  it('puts the same key into the same shard, and uses every shard', () => {
    fc.assert(
      fc.property(fc.string(), (key) => {
        const { dueKey, dueAtMs } = dueAttributes(key, 7);
        expect(DUE_SHARDS).toContain(dueKey);
        expect(dueAtMs).toBe(7);
        expect(dueAttributes(key, 8).dueKey).toBe(dueKey);
      }),
    );
    const used = new Set(Array.from({ length: 200 }, (_, id) => dueAttributes(`job/acme/job_${id}`, 0).dueKey));
    expect([...used].sort()).toEqual([...DUE_SHARDS]);
  });

  it('takes a record off the index by the attributes that put it there, and forgets what was seen', () => {
    expect(DUE_ATTRIBUTES).toEqual([...Object.keys(dueAttributes('job/a/b', 0)), 'observation']);
  });
});
