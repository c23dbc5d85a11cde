import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { list } from 'tar';
import { makeArchive } from '../../../onnx/pack/archive.ts';

test('every user may read the files of an archive, also if only their owner may read the originals', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tensorgate-archive-'));
  writeFileSync(join(folder, 'config.pbtxt'), 'name: "m"');
  chmodSync(join(folder, 'config.pbtxt'), 0o600);
  makeArchive(folder, join(folder, 'model.tar.gz'), ['config.pbtxt']);
  const modes: (number | undefined)[] = [];
  list({ file: join(folder, 'model.tar.gz'), sync: true, onReadEntry: ({ mode }) => modes.push(mode) });
  expect(modes).toEqual([0o644]);
  rmSync(folder, { recursive: true });
});
