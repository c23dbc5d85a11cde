import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Md5 } from '../../../core/files/md5.ts';

describe('Md5', () => {
  it('is the sum that everybody else computes, in whatever pieces the bytes come, stopped and opened again between them', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 })), (pieces) => {
        let state = Md5.open().state;
        for (const piece of pieces) {
          const sum = Md5.open(state);
          sum.update(piece);
          ({ state } = sum);
        }
        const wanted = createHash('md5').update(Buffer.concat(pieces)).digest('hex');
        expect(Md5.open(state).digest()).toBe(wanted);
      }),
    );
  });

  it('takes large pieces', () => {
    const bytes = Buffer.alloc(1_000_003, 'abc');
    const sum = Md5.open();
    sum.update(bytes);
    expect(sum.digest()).toBe(createHash('md5').update(bytes).digest('hex'));
  });
});
