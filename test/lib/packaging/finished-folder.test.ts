import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { makeFolderOnce } from '../../../lib/packaging/finished-folder.ts';
import { temporaryDirectory } from '../packed-models.ts';

function write(folder: string, text: string): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'done'), text);
}

describe('makeFolderOnce', () => {
  it('fills a folder the first time only', () => {
    const folder = join(temporaryDirectory(), 'a/b');
    for (const text of ['first', 'second']) makeFolderOnce(folder, 'done', (unfinished) => write(unfinished, text));
    expect(readFileSync(join(folder, 'done'), 'utf8')).toBe('first');
    expect(readdirSync(dirname(folder))).toEqual(['b']);
  });

  it('leaves nothing behind when filling fails', () => {
    const folder = join(temporaryDirectory(), 'b');
    const fail = () =>
      makeFolderOnce(folder, 'done', (unfinished) => {
        write(unfinished, 'half');
        throw new Error('stopped');
      });
    expect(fail).toThrow('stopped');
    expect(readdirSync(dirname(folder))).toEqual([]);
  });

  it('replaces what lost its marker', () => {
    const folder = join(temporaryDirectory(), 'b');
    mkdirSync(folder);
    writeFileSync(join(folder, 'rest'), '');
    makeFolderOnce(folder, 'done', (unfinished) => write(unfinished, 'new'));
    expect(readdirSync(folder)).toEqual(['done']);
  });

  it('uses a folder that another process finished meanwhile', () => {
    const folder = join(temporaryDirectory(), 'b');
    makeFolderOnce(folder, 'done', (unfinished) => {
      write(folder, 'theirs');
      write(unfinished, 'ours');
    });
    expect(readFileSync(join(folder, 'done'), 'utf8')).toBe('theirs');
    expect(existsSync(`${folder}.${process.pid}`)).toBe(false);
  });
});
