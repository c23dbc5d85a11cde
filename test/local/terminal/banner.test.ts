import { stripVTControlCharacters } from 'node:util';
import { expect, test } from '@jest/globals';
import { TASK_ROUTES } from '../../../core/tasks/task-routes.ts';
import type { LocalDescription } from '../../../local/local-description.ts';
import { planAssembly } from '../../../local/template/plan.ts';
import { renderReady } from '../../../local/terminal/banner.ts';
import { stackOf } from '../fixture-app.ts';

/** Lines of the terminal that the hints about keys, npm and the prompt take. */
const OTHER_LINES = 8;

function descriptionOf(keys: number): LocalDescription {
  const apiKeys = Array.from({ length: keys }, (_, index) => ({
    name: `plan-with-a-long-name-${index}`.slice(0, 24),
    plan: 'p',
    value: 'x'.repeat(40),
    limits: '1000 requests a second, bursts of 2000, 10,000 a day',
  }));
  return {
    url: 'http://127.0.0.1:65535',
    pid: 1,
    stage: 'dev',
    apiKeys,
    endpoints: {},
    queues: {},
    stores: {},
    functions: {},
    models: [],
    logs: '.tensorgate/logs',
  };
}

const PLAN = planAssembly([stackOf('Stack', { Stream: { Type: 'AWS::Kinesis::Stream' } })]);

const [route] = TASK_ROUTES;

test.each([1, 3, 40])('the first screen fits 80 columns and 24 lines with %d models and keys', (count) => {
  const models = Array.from({ length: count }, (_, index) => ({
    id: `a-model-${index}`,
    task: route?.task ?? 'tensor',
  }));
  const lines = stripVTControlCharacters(renderReady({ description: descriptionOf(count), models, plan: PLAN })).split(
    '\n',
  );
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
  expect(lines.length).toBeLessThanOrEqual(24 - OTHER_LINES);
  expect(lines.join('\n')).toContain('http://127.0.0.1:65535');
});

test('the first screen counts the models and keys that do not fit', () => {
  const models = Array.from({ length: 40 }, (_, index) => ({ id: `a-model-${index}`, task: 'tensor' as const }));
  const screen = stripVTControlCharacters(renderReady({ description: descriptionOf(9), models, plan: PLAN }));
  expect(screen).toMatch(/^ {2}models {2}a-model-0, .*, 3\d more$/m);
  expect(screen).toMatch(/^ +5 more$/m);
});
