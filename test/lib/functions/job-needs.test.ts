import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { SUBMISSION_SETTINGS } from '../../../lambdas/shared/jobs/open-submission.ts';
import { JOB_NEEDS } from '../../../lib/functions/job-needs.ts';

const NAMES = Object.keys(JOB_NEEDS) as (keyof typeof JOB_NEEDS)[];

/** What a function says that it reads from its environment. */
async function settingsOf(name: string): Promise<readonly string[]> {
  if (name === 'serve-model') return SUBMISSION_SETTINGS;
  const { SETTINGS } = await import(resolve('lambdas', name, 'deps.ts'));
  return SETTINGS;
}

describe('JOB_NEEDS', () => {
  it.each(NAMES)('tells %s the settings that it reads, and no others', async (name) => {
    expect([...JOB_NEEDS[name].settings].sort()).toEqual([...(await settingsOf(name))].sort());
  });

  it.each(NAMES)('names a function that is there: %s', (name) => {
    expect(existsSync(resolve('lambdas', name, 'index.ts'))).toBe(true);
  });
});
