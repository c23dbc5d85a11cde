import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { fileExpiry } from '../../../core/files/file-expiry.ts';
import { COMPLETION_WINDOW_MS, GRACE_MS } from '../../../core/files/limits.ts';
import { MESSAGE_DAYS, messageLifeDays, payloadDays } from '../../../core/retention/retention.ts';

const DAY_MS = 86_400_000;

const settings = fc.record({
  retentionDays: fc.integer({ min: 1, max: 365 }),
  fileRetentionDays: fc.integer({ min: 1, max: 365 }),
  deadLetterRetentionDays: fc.integer({ min: 1, max: 14 }),
});

describe('the lifecycle rules of the bucket', () => {
  it('delete the input of a job only after its last message is gone and its record has expired', () => {
    fc.assert(
      fc.property(settings, (days) => {
        const endsLatest = messageLifeDays(days.deadLetterRetentionDays);
        expect(endsLatest).toBeGreaterThan(MESSAGE_DAYS + days.deadLetterRetentionDays + MESSAGE_DAYS);
        expect(payloadDays(days).jobs).toBeGreaterThan(endsLatest + days.retentionDays);
      }),
    );
  });

  it('delete the result of a job only after its record has expired', () => {
    // A worker writes the result at most 15 minutes before the end of the job, from which the retention counts.
    fc.assert(fc.property(settings, (days) => expect(payloadDays(days).results).toBeGreaterThan(days.retentionDays)));
  });

  it('delete a file only after its record, and after a batch that started to read it before', () => {
    fc.assert(
      fc.property(settings, (days) => {
        const lastReadMs = fileExpiry(0, days.fileRetentionDays) + COMPLETION_WINDOW_MS + GRACE_MS;
        expect(payloadDays(days).files * DAY_MS).toBeGreaterThan(lastReadMs);
      }),
    );
  });

  it('delete parts of a batch only after the last message of the batch', () => {
    fc.assert(
      fc.property(settings, (days) => {
        const lastMs = COMPLETION_WINDOW_MS + GRACE_MS + (MESSAGE_DAYS + days.deadLetterRetentionDays) * DAY_MS;
        expect(payloadDays(days).chunks * DAY_MS).toBeGreaterThan(lastMs);
      }),
    );
  });
});
