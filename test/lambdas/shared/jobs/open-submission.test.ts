import { expect, test } from '@jest/globals';
import { renderSettings } from '../../../../core/functions/settings.ts';
import { openSubmission } from '../../../../lambdas/shared/jobs/open-submission.ts';
import { movableClock } from './job-servers.ts';

test('every large request of a function uses the same client of the payload bucket', async () => {
  const variables = renderSettings({
    jobsTable: 'jobs',
    payloadBucket: 'payloads',
    ownJobsQueue: 'https://queues/jobs',
    retentionDays: 7,
  });
  const { payloads } = openSubmission(variables, movableClock());
  const [first, second] = await Promise.all([payloads(), payloads()]);
  expect(second).toBe(first);
  expect(await payloads()).toBe(first);
});
