import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, test } from '@jest/globals';
import { bundlePackage, composeFunctionPackage, MAX_UNZIPPED_BYTES } from '../../../lib/packaging/function-package.ts';
import { packedEmbedding, temporaryDirectory } from '../packed-models.ts';

/** A bundle of a few bytes. */
function writeBundle(code = 'export {};'): string {
  const directory = join(temporaryDirectory(), 'bundle');
  mkdirSync(directory);
  writeFileSync(join(directory, 'index.mjs'), code);
  return directory;
}

function filesOf(directory: string): readonly string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .sort();
}

describe('composeFunctionPackage', () => {
  it.each([
    ['x86_64', 'x64'],
    ['arm64', 'arm64'],
  ])('carries the natives of %s only, beside bundle and model', (architecture, folder) => {
    const model = packedEmbedding('tiny', { compute: { target: 'lambda', architecture } });
    const { directory, sizes } = composeFunctionPackage(model, writeBundle());
    expect(filesOf(directory)).toEqual([
      'index.mjs',
      'model/1.ort',
      'model/model.json',
      'model/tokenizer.json',
      `onnxruntime/linux/${folder}/libonnxruntime.so.1`,
      `onnxruntime/linux/${folder}/onnxruntime_binding.node`,
      'package.sha256',
    ]);
    expect(sizes.code).toBe(10);
    expect(sizes.natives).toBeGreaterThan(20e6);
  });

  it('has the same hash for the same content, wherever it comes from', () => {
    const model = packedEmbedding();
    const first = composeFunctionPackage(model, writeBundle());
    expect(composeFunctionPackage(model, writeBundle()).hash).toBe(first.hash);
    expect(composeFunctionPackage(model, writeBundle('export default 1;')).hash).not.toBe(first.hash);
  });

  it('holds its hash, so that packages with different hashes never have the same contents', () => {
    const model = packedEmbedding();
    const packages = ['export {};', 'export default 2;'].map((code) =>
      composeFunctionPackage(model, writeBundle(code)),
    );
    for (const { directory, hash } of packages) {
      expect(readFileSync(join(directory, 'package.sha256'), 'utf8')).toBe(hash);
    }
    expect(packages[0]?.hash).not.toBe(packages[1]?.hash);
  });

  it('has the same hash when the same weights were converted into other bytes', () => {
    const model = packedEmbedding();
    const bundle = writeBundle();
    const first = composeFunctionPackage(model, bundle);
    writeFileSync(join(model.packedDirectory, '1.ort'), 'same');
    expect(composeFunctionPackage(model, bundle).hash).toBe(first.hash);
    writeFileSync(join(model.packedDirectory, 'tokenizer.json'), '{ }');
    expect(composeFunctionPackage(model, bundle).hash).not.toBe(first.hash);
  });

  it('fails with PACKAGE_TOO_LARGE and the size of each part', () => {
    const model = packedEmbedding();
    const { sizes } = composeFunctionPackage(model, writeBundle());
    const room = MAX_UNZIPPED_BYTES - sizes.code - sizes.natives - (sizes.model - 4);
    const weights = join(model.packedDirectory, '1.ort');
    truncateSync(weights, room + 1);
    expect(() => composeFunctionPackage(model, writeBundle())).toThrow(
      expect.objectContaining({
        code: 'PACKAGE_TOO_LARGE',
        message: expect.stringMatching(
          /tiny has 262144001 bytes .*code 10, onnxruntime \d+, model \d+.* 262144000 at most/,
        ),
      }),
    );
  });

  it('fails with CONFIG_INVALID and advice when the bundle is missing', () => {
    expect(() => composeFunctionPackage(packedEmbedding(), temporaryDirectory())).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringContaining('run npm run build') }),
    );
  });
});

describe('files that only their owner may read', () => {
  const modesOf = (directory: string) =>
    Object.fromEntries(filesOf(directory).map((name) => [name, statSync(join(directory, name)).mode & 0o777]));

  /** A bundle as a umask of 077 leaves it. */
  function writePrivateBundle(): string {
    const bundle = writeBundle(`export default ${Math.random()};`);
    chmodSync(join(bundle, 'index.mjs'), 0o600);
    return bundle;
  }

  test('are readable by every user in the package of a model, and stay private where they come from', () => {
    const model = packedEmbedding();
    const bundle = writePrivateBundle();
    chmodSync(join(model.packedDirectory, 'tokenizer.json'), 0o640);
    const modes = modesOf(composeFunctionPackage(model, bundle).directory);
    expect(Object.keys(modes).length).toBeGreaterThan(4);
    expect(new Set(Object.values(modes))).toEqual(new Set([0o644]));
    expect(modesOf(bundle)).toEqual({ 'index.mjs': 0o600 });
  });

  test('are readable by every user in the package of a function without a model', () => {
    const { directory } = bundlePackage(writePrivateBundle());
    expect(modesOf(directory)).toEqual({ 'index.mjs': 0o644 });
    rmSync(directory, { recursive: true });
  });

  test('do not change the hash of a package', () => {
    const model = packedEmbedding();
    const bundle = writeBundle();
    const hashes = () => [composeFunctionPackage(model, bundle).hash, bundlePackage(bundle).hash];
    const before = hashes();
    chmodSync(join(bundle, 'index.mjs'), 0o600);
    expect(hashes()).toEqual(before);
    rmSync(bundlePackage(bundle).directory, { recursive: true });
  });
});
