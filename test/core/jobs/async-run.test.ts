import { describe, expect, it } from '@jest/globals';
import { inferenceId, parseS3Uri, runOfNotification } from '../../../core/jobs/async-run.ts';

const RUN = 'a_-9'.padEnd(43, 'x');

describe('runOfNotification', () => {
  it('finds the run that a request was named after', () => {
    const id = inferenceId(RUN, 12_345);
    expect(id.length).toBeLessThanOrEqual(64);
    expect(runOfNotification({ eventSource: 'aws:sagemaker', inferenceId: id, more: 1 })).toBe(RUN);
  });

  it.each([
    [undefined],
    [null],
    ['text'],
    [{ inferenceId: `${RUN}.0` }],
    [{ eventSource: 'aws:s3', inferenceId: `${RUN}.0` }],
    [{ eventSource: 'aws:sagemaker', inferenceId: 7 }],
    [{ eventSource: 'aws:sagemaker', inferenceId: '11111111-2222-3333-4444-555555555555' }],
  ])('leaves %j alone', (value) => {
    expect(runOfNotification(value)).toBeUndefined();
  });
});

describe('parseS3Uri', () => {
  it('reads bucket and key', () => {
    expect(parseS3Uri('s3://bucket/a/b.out')).toEqual({ bucket: 'bucket', key: 'a/b.out' });
  });

  it.each([[undefined], ['s3://bucket'], ['https://bucket/key']])('refuses %s', (uri) => {
    expect(parseS3Uri(uri)).toBeUndefined();
  });
});
