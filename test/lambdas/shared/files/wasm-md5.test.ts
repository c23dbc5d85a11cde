import { createHash } from 'node:crypto';
import { beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { MD5_START, type ResumableMd5 } from '../../../../core/files/resumable-md5.ts';
import { openWasmMd5 } from '../../../../lambdas/shared/files/wasm-md5.ts';

let md5: ResumableMd5;

beforeAll(async () => {
  md5 = await openWasmMd5();
});

test('MD5 of pieces, stored and resumed in between, equals that of the whole', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 })), (pieces) => {
      const state = pieces.reduce((current, piece) => md5.update(current, piece), MD5_START);
      expect(md5.digest(state)).toBe(createHash('md5').update(Buffer.concat(pieces)).digest('hex'));
    }),
  );
});

test('MD5 is resumed in another process', async () => {
  const state = md5.update(MD5_START, Buffer.alloc(1_000_003, 'abc'));
  const other = await openWasmMd5();
  expect(other.canResume(state)).toBe(true);
  expect(other.digest(state)).toBe(createHash('md5').update(Buffer.alloc(1_000_003, 'abc')).digest('hex'));
});

test('only the start of a hash is resumed from the first release, which stored states in another form', () => {
  const states = [MD5_START, '67452301efcdab8998badcfe10325476.616263.3', '0123456789abcdef0123456789abcdef..64', ''];
  expect(states.map((state) => md5.canResume(state))).toEqual([true, false, false, false]);
});
