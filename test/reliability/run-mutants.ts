import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { MUTANTS, type Mutant } from './mutants.ts';

/**
 * `npm run mutants -- [part of a name]`: applies each mutant to a copy of the repository, and runs its tests there.
 *
 * It ends with code 1 if a mutant survives, or if the tests of a mutant fail without it.
 */
const ROOT = join(import.meta.dirname, '../..');

/** Folders and files of the copy; packages and models are only linked. */
const COPIED = ['bin', 'cli', 'config', 'core', 'disk', 'docs', 'lambdas', 'lib', 'local', 'onnx', 'scripts', 'test'];
const FILES = ['jest.config.mjs', 'package.json', 'tsconfig.json', 'cdk.json'];
const LINKED = ['examples', 'models', 'node_modules'];

const JEST = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', 'node_modules/jest/bin/jest.js'];

const { positionals } = parseArgs({ allowPositionals: true });
const [part = ''] = positionals;
const chosen = MUTANTS.filter(({ name }) => name.includes(part));

const copy = await mkdtemp(join(tmpdir(), 'tensorgate-mutants-'));
try {
  for (const name of [...COPIED, ...FILES]) await cp(join(ROOT, name), join(copy, name), { recursive: true });
  for (const name of LINKED) await symlink(join(ROOT, name), join(copy, name));
  const tests = new Set(chosen.flatMap((mutant) => mutant.tests));
  const broken = [];
  for (const test of tests) if (!(await succeeds([test]))) broken.push(test);
  for (const test of broken) console.log(`fails without a mutant: ${test}`);
  const survivors = [];
  for (const mutant of chosen) {
    const isKilled = await kills(mutant);
    console.log(`${isKilled ? 'killed  ' : 'SURVIVED'} ${mutant.name}`);
    if (!isKilled) survivors.push(mutant);
  }
  console.log(`${chosen.length - survivors.length} of ${chosen.length} mutants are killed`);
  process.exitCode = survivors.length + broken.length === 0 ? 0 : 1;
} finally {
  await rm(copy, { recursive: true, force: true });
}

async function kills({ file, find, replace, tests }: Mutant): Promise<boolean> {
  const path = join(copy, file);
  const original = await readFile(path, 'utf8');
  await writeFile(
    path,
    original.replace(find, () => replace),
  );
  try {
    return !(await succeeds(tests));
  } finally {
    await writeFile(path, original);
  }
}

async function succeeds(tests: readonly string[]): Promise<boolean> {
  const options = ['--coverage=false', '--bail', '--maxWorkers=2', '--silent'];
  try {
    // The scenario runs the built functions. Its seed is the same for each mutant, so that the same faults find it again.
    if (tests.some((path) => path.startsWith('test/reliability/'))) await runNode(['scripts/build-functions.ts']);
    await runNode([...JEST, ...options, ...tests], { TENSORGATE_FAULT_SEED: '1' });
    return true;
  } catch {
    return false;
  }
}

async function runNode(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<void> {
  const options = { cwd: copy, maxBuffer: 2 ** 28, env: { ...process.env, ...env } };
  await promisify(execFile)(process.execPath, [...args], options);
}
