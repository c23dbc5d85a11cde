import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { derivedId, jobHash, jobIdOfEvent, jobIdOfKey, newJobId } from '../../../core/jobs/job-id.ts';
import { JOB_ID_PATTERN } from '../../../core/jobs/job-request.ts';

const hash = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('base64url');

describe('ids of jobs', () => {
  it('sort by the time they were made, where nobody chose them', () => {
    const ids = [1, 1000, 1_800_000_000_000].map((nowMs) => newJobId(nowMs, new Uint8Array(16).fill(7)));
    expect(ids.toSorted()).toEqual(ids);
    for (const id of ids) expect(id).toMatch(JOB_ID_PATTERN);
  });

  it('are the same for the same key of the same caller, and for the same event', () => {
    const ids = new Set([
      jobIdOfKey(hash, 'a', 'k'),
      jobIdOfKey(hash, 'a', 'k'),
      jobIdOfKey(hash, 'b', 'k'),
      jobIdOfKey(hash, 'a', 'l'),
      jobIdOfEvent(hash, 'a', 'k'),
      jobIdOfEvent(hash, 'a', 'k'),
    ]);
    expect(ids.size).toBe(4);
    for (const id of ids) expect(id).toMatch(JOB_ID_PATTERN);
  });

  it('hold the first 130 bits of the hash in base32', () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { minLength: 1 }), (fields) => {
        const bytes = createHash('sha256').update(JSON.stringify(fields)).digest();
        const bits = [...bytes]
          .map((byte) => byte.toString(2).padStart(8, '0'))
          .join('')
          .slice(0, 130);
        const letters = bits
          .match(/.{5}/g)
          ?.map((five) => 'abcdefghijklmnopqrstuvwxyz234567'[Number.parseInt(five, 2)]);
        expect(derivedId(hash, fields)).toBe(letters?.join(''));
      }),
    );
  });
});

describe('jobHash', () => {
  const identity = { endpoint: '/v1/embeddings', input: { json: '{"input":"x"}' }, destinations: {} };

  it('tells all apart that makes a job another one', () => {
    const hashes = new Set(
      [
        identity,
        { ...identity, destinations: { eventBus: false } },
        { ...identity, endpoint: '/v2/models/a/infer' },
        { ...identity, input: { json: '{"input": "x"}' } },
        { ...identity, input: { mediaType: 'image/png', base64: 'eA==' } },
        { ...identity, input: { mediaType: 'image/jpeg', base64: 'eA==' } },
        { ...identity, input: { bucket: 'b', key: 'k' } },
        { ...identity, destinations: { webhookUrl: 'https://a.b/' } },
        { ...identity, destinations: { replyQueue: 'r' } },
        { ...identity, destinations: { eventBus: true } },
      ].map((one) => jobHash(hash, one)),
    );
    expect(hashes.size).toBe(9);
  });
});
