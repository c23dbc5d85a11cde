import { describe, expect, it } from '@jest/globals';
import { parseWorkMessage } from '../../../core/jobs/work-message.ts';

const JOB = {
  v: 1,
  kind: 'job',
  owner: 'k',
  id: 'job_1',
  hash: 'h',
  endpoint: '/v1/embeddings',
  model: 'm',
  createdAtMs: 0,
  expiresAtMs: 1,
  destinations: {},
  input: { kind: 'inline', json: '{}' },
};

const CHUNK = {
  v: 1,
  kind: 'chunk',
  owner: 'k',
  batchId: 'b',
  model: 'm',
  endpoint: '/v1/embeddings',
  index: 0,
  file: { bucket: 'b', key: 'k' },
  start: 0,
  end: 9,
  firstLine: 1,
  lines: 2,
};

describe('parseWorkMessage', () => {
  it.each([
    JOB,
    { ...JOB, version: '1', traceparent: 't', input: { kind: 'payload', payload: { bucket: 'b', key: 'k' } } },
    { ...JOB, input: { kind: 'inline', mediaType: 'image/png', base64: 'AA==' } },
    { ...JOB, input: { kind: 'payload', payload: { bucket: 'b', key: 'k' }, mediaType: 'image/png' } },
    CHUNK,
    { ...CHUNK, addedByALaterVersion: true },
  ])('accepts %j', (message) => {
    expect(parseWorkMessage(message)).toEqual(message);
  });

  it.each([
    [undefined, 'must be a job or a chunk'],
    [{ ...JOB, v: 2 }, 'must be 1'],
    [{ ...JOB, id: 'a b' }, 'must be the id of a job'],
    [{ ...JOB, input: { kind: 'air' } }, 'input.kind: '],
    [{ ...CHUNK, start: -1 }, 'must not be negative'],
    [{ ...CHUNK, owner: '' }, 'must not be empty'],
  ])('fails with INVALID_BODY for %j', (message, words) => {
    expect(() => parseWorkMessage(message)).toThrow(expect.objectContaining({ code: 'INVALID_BODY' }));
    expect(() => parseWorkMessage(message)).toThrow(words);
  });
});
