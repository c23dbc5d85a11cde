import { expect, test } from '@jest/globals';
import { FORM_FILE_BYTES, LARGER_FILES, MAX_FORM_BYTES } from '../../../core/files/limits.ts';
import { MAX_REQUEST_BYTES } from '../../../local/services/lambda/invocation.ts';

test('a file of the promised size fits an event of AWS Lambda with the longest headers', () => {
  // API Gateway quotas: 10,240 bytes of request line and headers, which an event holds twice.
  const headers = JSON.stringify('"'.repeat(10_240)).length * 2;
  const form = FORM_FILE_BYTES + 1000;
  expect(4 * Math.ceil(form / 3) + headers + 4096).toBeLessThanOrEqual(MAX_REQUEST_BYTES);
  expect(MAX_FORM_BYTES).toBe((MAX_REQUEST_BYTES / 4) * 3);
});

test('the advice for larger files names a part size that a form can carry', () => {
  const [, size = ''] = /part_size=([\d_]+)/.exec(LARGER_FILES) ?? [];
  expect(Number(size.replaceAll('_', ''))).toBeLessThan(FORM_FILE_BYTES);
  expect(LARGER_FILES).toContain(`${FORM_FILE_BYTES} bytes`);
});
