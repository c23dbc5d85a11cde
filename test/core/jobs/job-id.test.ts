import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  derivedId,
  derivedKeys,
  jobHash,
  jobIdOfEvent,
  jobIdOfKey,
  newJobId,
  REPEAT_WINDOW_MS,
} from '../../../core/jobs/job-id.ts';
import { JOB_ID_PATTERN } from '../../../core/jobs/job-request.ts';

const hash = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('base64url');

describe('ids of jobs', () => {
  it('sort by the time of their creation, unless a caller chose them', () => {
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

  it('distinguishes all properties that identify a job', () => {
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

describe('derived keys', () => {
  const NOW = 1_750_000_000_000;

  it('meet wherever in an interval a request is repeated within the window', () => {
    fc.assert(
      fc.property(fc.nat(2 * REPEAT_WINDOW_MS), fc.nat(REPEAT_WINDOW_MS), (offset, afterMs) => {
        const [first] = derivedKeys(hash, 'a', 'h', NOW + offset);
        expect(derivedKeys(hash, 'a', 'h', NOW + offset + afterMs)).toContain(first);
      }),
    );
  });

  it('differ between tenants, requests and distant times', () => {
    const keys = [
      derivedKeys(hash, 'a', 'h', NOW),
      derivedKeys(hash, 'b', 'h', NOW),
      derivedKeys(hash, 'a', 'g', NOW),
      derivedKeys(hash, 'a', 'h', NOW + 2 * REPEAT_WINDOW_MS),
    ].flat();
    expect(new Set(keys).size).toBe(keys.length);
    for (const key of keys) expect(key).toMatch(/^auto-[a-z2-7]{26}$/);
  });
});
