import { describe, expect, it } from '@jest/globals';
import { inferenceId, invocationOfNotification, parseS3Uri } from '../../../core/jobs/async-run.ts';

const RUN = 'a_-9'.padEnd(43, 'x');

describe('a notification of an asynchronous endpoint', () => {
  it('names its request', () => {
    const invocation = { run: RUN, submission: 'Ab_-89', number: 12_345 };
    const id = inferenceId(invocation);
    expect(id.length).toBeLessThanOrEqual(64);
    expect(invocationOfNotification({ eventSource: 'aws:sagemaker', inferenceId: id, more: 1 })).toEqual(invocation);
  });

  it('is recognized if an earlier release submitted the request', () => {
    const notification = { eventSource: 'aws:sagemaker', inferenceId: `${RUN}.7` };
    expect(invocationOfNotification(notification)).toEqual({ run: RUN, submission: '', number: 7 });
  });

  it.each([
    [undefined],
    [null],
    ['text'],
    [{ inferenceId: `${RUN}.a.0` }],
    [{ eventSource: 'aws:s3', inferenceId: `${RUN}.a.0` }],
    [{ eventSource: 'aws:sagemaker', inferenceId: 7 }],
    [{ eventSource: 'aws:sagemaker', inferenceId: `${RUN}.a.b` }],
    [{ eventSource: 'aws:sagemaker', inferenceId: '11111111-2222-3333-4444-555555555555' }],
  ])('is not recognized in %j', (value) => {
    expect(invocationOfNotification(value)).toBeUndefined();
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
