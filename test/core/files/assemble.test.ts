import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { type Assembly, assemble, startAssembly } from '../../../core/files/assemble.ts';
import type { AssemblyState } from '../../../core/files/assembly.ts';
import { openWasmMd5 } from '../../../lambdas/shared/files/wasm-md5.ts';

const MIB = 1024 * 1024;

/** A bucket in memory with multipart uploads. */
class Bucket {
  readonly objects = new Map<string, Uint8Array>();
  readonly uploads = new Map<string, Map<number, Uint8Array>>();
  aborted = 0;

  async size(key: string): Promise<number | undefined> {
    return this.objects.get(key)?.length;
  }

  async write(key: string, bytes: Uint8Array): Promise<void> {
    this.objects.set(key, bytes);
  }

  async begin(): Promise<string> {
    const id = `upload-${this.uploads.size}`;
    this.uploads.set(id, new Map());
    return id;
  }

  async writePart(_key: string, id: string, number: number, bytes: Uint8Array): Promise<string | undefined> {
    const upload = this.uploads.get(id);
    upload?.set(number, bytes);
    return upload === undefined ? undefined : `tag${number}-${bytes.length}`;
  }

  async complete(key: string, id: string, tags: readonly string[]): Promise<'done' | 'gone' | 'stale'> {
    const upload = this.uploads.get(id);
    if (upload === undefined) return 'gone';
    const parts = [...upload].toSorted(([a], [b]) => a - b);
    if (parts.some(([number, bytes], index) => tags[index] !== `tag${number}-${bytes.length}`)) return 'stale';
    this.objects.set(key, Buffer.concat(parts.map(([, bytes]) => bytes)));
    this.uploads.delete(id);
    return 'done';
  }

  async abort(_key: string, id: string): Promise<void> {
    this.aborted += 1;
    this.uploads.delete(id);
  }
}

/** Records states as the table does: the first that follows a state holds. */
class Ledger {
  state: AssemblyState;

  constructor(state: AssemblyState) {
    this.state = state;
  }

  readonly save = async (state: AssemblyState): Promise<AssemblyState> => {
    if (state.step === this.state.step + 1) this.state = state;
    return this.state;
  };
}

function assembly(pieces: readonly Uint8Array[], bucket: Bucket, ledger: Ledger, hasTime = () => true): Assembly {
  return {
    objects: bucket,
    key: 'file',
    contentType: 'application/jsonl',
    pieces: {
      count: pieces.length,
      read: async (index, offset) => {
        const bytes = pieces[index]?.subarray(offset, offset + MIB) ?? new Uint8Array();
        return { bytes, isLast: offset + bytes.length >= (pieces[index]?.length ?? 0) };
      },
    },
    openMd5: async () => md5,
    hasTime,
    save: ledger.save,
  };
}

const PIECES = [3, 0, 9, 0.5, 7, 1.25].map((mib, index) => Buffer.alloc(mib * MIB, `piece ${index}`));
const WHOLE = Buffer.concat(PIECES);

const md5 = await openWasmMd5();

function sumOf(state: AssemblyState): string {
  return md5.digest(state.md5 ?? '');
}

describe('assemble', () => {
  it('puts pieces together in order, with their MD5 sum', async () => {
    const [bucket, ledger] = [new Bucket(), new Ledger(startAssembly(true))];
    const done = await assemble(ledger.state, assembly(PIECES, bucket, ledger));
    expect(done).toMatchObject({ done: true, bytes: WHOLE.length });
    expect(Buffer.compare(bucket.objects.get('file') ?? Buffer.alloc(0), WHOLE)).toBe(0);
    expect(sumOf(done)).toBe(createHash('md5').update(WHOLE).digest('hex'));
    expect(bucket.uploads.size).toBe(0);
  });

  it('writes a small file in one request, and none for zero bytes', async () => {
    const [bucket, ledger] = [new Bucket(), new Ledger(startAssembly(false))];
    expect(await assemble(ledger.state, assembly([Buffer.from('ab'), Buffer.from('c')], bucket, ledger))).toMatchObject(
      { bytes: 3, parts: 0 },
    );
    expect(Buffer.from(bucket.objects.get('file') ?? []).toString()).toBe('abc');
    const empty = new Bucket();
    const other = new Ledger(startAssembly(false));
    expect(await assemble(other.state, assembly([], empty, other))).toMatchObject({ done: true, bytes: 0 });
    expect(empty.objects.size).toBe(0);
  });

  it('resumes after any number of interruptions', async () => {
    const [bucket, ledger] = [new Bucket(), new Ledger(startAssembly(true))];
    for (let round = 0; round < 20 && !ledger.state.done; round++) {
      let isFirst = true;
      const once = (): boolean => {
        const had = isFirst;
        isFirst = false;
        return had;
      };
      await assemble(ledger.state, assembly(PIECES, bucket, ledger, once));
    }
    expect(ledger.state.done).toBe(true);
    expect(Buffer.compare(bucket.objects.get('file') ?? Buffer.alloc(0), WHOLE)).toBe(0);
  });

  it('returns the same result when two calls run concurrently', async () => {
    const [bucket, ledger] = [new Bucket(), new Ledger(startAssembly(true))];
    const run = () => assemble(ledger.state, assembly(PIECES, bucket, ledger));
    await Promise.all([run(), run()]);
    expect(ledger.state).toMatchObject({ done: true, bytes: WHOLE.length });
    expect(Buffer.compare(bucket.objects.get('file') ?? Buffer.alloc(0), WHOLE)).toBe(0);
  });

  it('starts again when its upload was aborted, and when a part has other bytes', async () => {
    for (const harm of ['gone', 'stale'] as const) {
      const [bucket, ledger] = [new Bucket(), new Ledger(startAssembly(true))];
      let left = 3;
      await assemble(
        ledger.state,
        assembly(PIECES, bucket, ledger, () => left-- > 0),
      );
      const [id = ''] = bucket.uploads.keys();
      if (harm === 'gone') bucket.uploads.delete(id);
      else bucket.uploads.get(id)?.set(1, new Uint8Array(1));
      await assemble(ledger.state, assembly(PIECES, bucket, ledger));
      expect(ledger.state).toMatchObject({ done: true, bytes: WHOLE.length });
      expect(sumOf(ledger.state)).toBe(createHash('md5').update(WHOLE).digest('hex'));
    }
  });

  it.each([3, 100])('starts over if another release stored its MD5, after %d rounds', async (rounds) => {
    const [bucket, ledger] = [new Bucket(), new Ledger(startAssembly(true))];
    let left = rounds;
    await assemble(
      ledger.state,
      assembly(PIECES, bucket, ledger, () => left-- > 0),
    );
    ledger.state = { ...ledger.state, md5: '0123456789abcdef0123456789abcdef..64' };
    await assemble(ledger.state, assembly(PIECES, bucket, ledger));
    expect(ledger.state).toMatchObject({ done: true, bytes: WHOLE.length });
    expect(Buffer.compare(bucket.objects.get('file') ?? Buffer.alloc(0), WHOLE)).toBe(0);
    expect(sumOf(ledger.state)).toBe(createHash('md5').update(WHOLE).digest('hex'));
    expect(bucket.uploads.size).toBe(0);
  });

  it('accepts a file that a concurrent call completed', async () => {
    const [bucket, ledger] = [new Bucket(), new Ledger(startAssembly(false))];
    const whole = assembly(PIECES, bucket, ledger);
    const forgetful = {
      ...whole,
      save: async (state: AssemblyState) => (state.done ? ledger.state : ledger.save(state)),
    };
    let rounds = 0;
    await assemble(ledger.state, { ...forgetful, hasTime: () => rounds++ < 4 });
    expect(bucket.objects.has('file')).toBe(true);
    await assemble(ledger.state, whole);
    expect(ledger.state).toMatchObject({ done: true, bytes: WHOLE.length });
  });
});
