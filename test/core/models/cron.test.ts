import { expect, test } from '@jest/globals';
import { cronProblem, isTimeZone } from '../../../core/models/cron.ts';

test.each([
  '0 20 ? * MON-FRI *',
  '0/15 8-18 * JAN,JUL ? 2026-2030',
  '*/5 * ? * 2#1 *',
  '0 0 L * ? *',
  '0 0 15W * ? *',
  '0 0 LW 1/3 ? *',
  '30 7 ? * 6L *',
])('the cron expression %s is accepted', (cron) => {
  expect(cronProblem(cron)).toBeUndefined();
});

test.each([
  ['60 * ? * * *', 'the minutes must be from 0 to 59, got 60'],
  ['0 24 ? * * *', 'the hours must be from 0 to 23, got 24'],
  ['0 0 32 * ? *', 'the day of month must be from 1 to 31, got 32'],
  ['0 0 ? JANUARY * *', 'the month must be from 1 to 12 or JAN to DEC, got JANUARY'],
  ['0 0 ? * 0 *', 'the day of week must be from 1 to 7 or SUN to SAT, got 0'],
  ['0 0 ? * * 1969', 'the year must be from 1970 to 2199, got 1969'],
  ['0/0 * ? * * *', 'the minutes must be from 0 to 59, got 0/0'],
  ['0/5/5 * ? * * *', 'the minutes must be from 0 to 59, got 0/5/5'],
  ['0-5-9 * ? * * *', 'the minutes must be from 0 to 59, got 0-5-9'],
  ['0 0 * * * *', 'either the day of month or the day of week must be ?, got * and *'],
  ['0 0 ? * ? *', 'either the day of month or the day of week must be ?, got ? and ?'],
])('the cron expression %s is refused: %s', (cron, problem) => {
  expect(cronProblem(cron)).toBe(problem);
});

test.each([
  ['Europe/Berlin', true],
  ['UTC', true],
  ['Europe/Atlantis', false],
  ['Mars', false],
])('whether the time zone %s is known: %s', (name, isKnown) => {
  expect(isTimeZone(name)).toBe(isKnown);
});
