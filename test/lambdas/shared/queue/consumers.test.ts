import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';

const LAMBDAS = join(import.meta.dirname, '../../../../lambdas');

/** TypeScript files below `lambdas/` whose text holds a pattern. */
function filesWith(pattern: RegExp): string[] {
  const files = readdirSync(LAMBDAS, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
  return files.filter((name) => pattern.test(readFileSync(join(LAMBDAS, name), 'utf8'))).sort();
}

test('every function behind a queue uses the queue kernel', () => {
  const handlers = filesWith(/Promise<SQSBatchResponse>/).filter((name) => name.endsWith('/handler.ts'));
  expect(handlers).toEqual(
    ['accept-jobs', 'deliver-webhooks', 'fail-lost-jobs', 'process-batches', 'run-jobs'].map(
      (name) => `${name}/handler.ts`,
    ),
  );
  expect(filesWith(/handle(Each|Together)\(event/)).toEqual([...handlers, 'shared/queue/handle-each.ts']);
});

test('only the queue kernel returns to SQS which messages to retry', () => {
  expect(filesWith(/\bbatchItemFailures:/)).toEqual(['shared/queue/handle-each.ts']);
});
