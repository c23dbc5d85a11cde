import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { ONNXRUNTIME_VERSION } from '../../core/models/onnxruntime.ts';

const readJson = (path: string) => JSON.parse(readFileSync(path, 'utf8'));

/** A row of docs/dependencies.md: the packages that it names, and their licence. */
interface Row {
  readonly packages: readonly string[];
  readonly licence: string;
}

const page = readFileSync('docs/dependencies.md', 'utf8').split('## Considered and not taken')[0] ?? '';
const rows: readonly Row[] = [...page.matchAll(/^\| (.+?) \| .+ \| (.+?) \|$/gm)]
  .map(([, packages = '', licence = '']) => ({ packages: packages.split(', '), licence }))
  .filter(({ licence }) => licence !== 'license' && licence !== '---');

const root = readJson('package.json');
const lock = readJson('package-lock.json').packages;

function declaredPackages(): string[] {
  const { optionalDependencies } = readJson('scripts/node/package.json');
  return Object.keys({
    ...root.dependencies,
    ...root.devDependencies,
    ...root.peerDependencies,
    ...optionalDependencies,
  });
}

test('docs/dependencies.md names every package of package.json once, and no other', () => {
  expect(rows.flatMap(({ packages }) => packages).sort()).toEqual(declaredPackages().sort());
});

/** The licence that a package declares, or else the title of its licence file: "MIT License" is MIT. */
function licenceOf(folder: string): string {
  const declared: string | undefined = lock[folder]?.license;
  if (declared !== undefined) return declared;
  const file = `${folder}/LICENSE`;
  const [, title = ''] = existsSync(file) ? (/^(?:The )?(\S+) License/.exec(readFileSync(file, 'utf8')) ?? []) : [];
  return title;
}

test('docs/dependencies.md states the licence of every package', () => {
  const licences = rows.flatMap(({ packages, licence }) => packages.map((name) => [name, licence]));
  const actual = rows.flatMap(({ packages }) => packages.map((name) => [name, licenceOf(`node_modules/${name}`)]));
  expect(licences).toEqual(actual);
});

test('every installed package may be used under a permissive licence', () => {
  const permissive = /\b(?:MIT|MIT-0|ISC|Apache-2\.0|BSD-[23]-Clause|0BSD|BlueOak-1\.0\.0|Unlicense|CC-BY-4\.0)\b/;
  const others = Object.entries<{ readonly link?: boolean }>(lock)
    .filter(([path, { link }]) => path.startsWith('node_modules/') && link !== true)
    .map(([path]) => [path, licenceOf(path)] as const)
    .filter(([, licence]) => !permissive.test(licence) || /\bAND\b.*GPL|GPL.*\bAND\b/.test(licence));
  expect(others).toEqual([]);
});

test('no package runs code when it is installed, and all versions are exact', () => {
  expect(readFileSync('.npmrc', 'utf8')).toMatch(/^ignore-scripts=true$/m);
  const versions = Object.values<string>({ ...root.dependencies, ...root.devDependencies });
  expect(versions.filter((version) => !/^(?:npm:[\w@/-]+@)?\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version))).toEqual([]);
});

test('all clients of the AWS SDK have the same version', () => {
  const all = Object.entries<string>({ ...root.dependencies, ...root.devDependencies });
  const clients = all.filter(([name]) => /^@aws-sdk\/(?:client-|s3-request)/.test(name));
  expect(new Set(clients.map(([, version]) => version)).size).toBe(1);
});

test('the functions bundle the version of onnxruntime-node that an app has to install', () => {
  const versions = {
    development: root.devDependencies['onnxruntime-node'],
    peer: root.peerDependencies['onnxruntime-node'],
  };
  expect(versions).toEqual({ development: ONNXRUNTIME_VERSION, peer: ONNXRUNTIME_VERSION });
  expect(root.peerDependenciesMeta['onnxruntime-node'].optional).toBe(true);
});
