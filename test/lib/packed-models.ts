import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from '@jest/globals';
import { type Manifest, parseManifest } from '../../core/models/manifest.ts';
import { Model } from '../../lib/index.ts';

const temporaryDirectories: string[] = [];

afterAll(() => {
  for (const directory of temporaryDirectories) rmSync(directory, { recursive: true, force: true });
});

/** Creates a folder that is deleted after all tests of the file. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'tensorgate-lib-'));
  temporaryDirectories.push(directory);
  return directory;
}

const SHA256 = 'a'.repeat(64);

/** Entry of a manifest for a version whose weights do not exist. */
export const LISTED = { weights: '1/model.onnx', sha256: SHA256 };

const WORK_DIRECTORY = temporaryDirectory();

/** The members of a manifest that a test sets; the others have defaults. */
export type ManifestDraft = Partial<Omit<Manifest, 'compute' | 'cache'>> & {
  readonly compute?: object;
  readonly cache?: object;
};

/** Creates a packed embedding model whose weights are a few bytes. Constructs read their size, and no test runs them. */
export function packedEmbedding(id = 'tiny', draft: ManifestDraft = {}): Model {
  return packed({ id, task: 'embedding', ...draft }, [
    { name: 'last_hidden_state', datatype: 'FP32', shape: [-1, -1, 384] },
  ]);
}

/** Creates a packed model of task `tensor`. */
export function packedTensor(id = 'adder', draft: ManifestDraft = {}): Model {
  return packed({ id, task: 'tensor', ...draft }, [{ name: 'sum', datatype: 'FP32', shape: [-1] }]);
}

function packed(draft: ManifestDraft, outputs: readonly object[]): Model {
  const manifest = parseManifest({ versions: { '1': LISTED }, ...draft }, 'test');
  const directory = join(temporaryDirectory(), manifest.id);
  mkdirSync(directory);
  const inputs = [{ name: 'x', datatype: 'FP32', shape: [-1] }];
  const all = Object.keys(manifest.versions).map((version) => {
    writeFileSync(join(directory, `${version}.ort`), 'none');
    return [version, { file: `${version}.ort`, sha256: SHA256, bytes: 4, inputs, outputs }] as const;
  });
  const versions = Object.fromEntries(all.filter(([version]) => version !== manifest.shadow?.version));
  const [, shadow] = all.find(([version]) => version === manifest.shadow?.version) ?? [];
  writeFileSync(join(directory, 'model.json'), JSON.stringify({ manifest, versions, shadow }));
  writeFileSync(join(directory, 'tokenizer.json'), '{}');
  return Model.fromPacked(directory, { workDirectory: WORK_DIRECTORY });
}
