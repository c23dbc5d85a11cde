import { describe, expect, it } from '@jest/globals';
import { readJobsSettings, renderJobsSettings } from '../../../core/functions/jobs-settings.ts';

describe('settings of jobs', () => {
  it('survive the environment of a function', () => {
    const settings = {
      ...{ stage: 'dev', jobsTable: 'jobs', retentionDays: 7, replyQueues: { results: 'https://q/1' } },
      ...{ modelQueues: { minilm: { jobs: 'https://q/2', chunks: 'https://q/3' } }, inputBuckets: ['a'] },
    };
    const variables = renderJobsSettings(settings);
    expect(Object.values(variables).every((value) => typeof value === 'string')).toBe(true);
    const names = ['stage', 'jobsTable', 'retentionDays', 'replyQueues', 'modelQueues', 'inputBuckets'] as const;
    expect(readJobsSettings(variables, names)).toEqual(settings);
  });

  it.each([
    [{}, 'is not set'],
    [{ TENSORGATE_JOB_RETENTION_DAYS: 'seven' }, 'is not JSON'],
  ])('fails with CONFIG_INVALID for %j', (variables, words) => {
    expect(() => readJobsSettings(variables, ['retentionDays'])).toThrow(words);
    expect(() => readJobsSettings(variables, ['retentionDays'])).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID' }),
    );
  });
});
