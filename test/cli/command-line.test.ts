import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Command } from 'commander';
import { EXIT_CODES } from '../../cli/exit-code.ts';
import { program } from '../../cli/main.ts';
import { tensorgate } from './model-commands.ts';

interface Leaf {
  /** Name with those of its parents: `model pack`. */
  readonly name: string;
  readonly command: Command;
}

const LEAVES = leavesOf(program());

function leavesOf(command: Command, parents: readonly string[] = []): Leaf[] {
  return command.commands.flatMap((child) => {
    const path = [...parents, child.name()];
    return child.commands.length > 0 ? leavesOf(child, path) : [{ name: path.join(' '), command: child }];
  });
}

const scratch = mkdtempSync(join(tmpdir(), 'tensorgate-command-line-'));
const inScratch = (name: string): string => join(scratch, name);

beforeAll(() => {
  writeFileSync(inScratch('empty'), '');
  writeFileSync(inScratch('garbage'), Buffer.from([0, 255, 1, 254, 200, 13, 10, 0]));
  writeFileSync(inScratch('text'), 'some words');
  for (const name of ['folder', 'two', 'no good name']) mkdirSync(inScratch(name));
  for (const name of ['a.onnx', 'b.onnx']) writeFileSync(join(inScratch('two'), name), 'not a model');
  mkdirSync(inScratch('broken'));
  for (const name of ['model.yaml', 'manifest.json', 'tokenizer.json'])
    writeFileSync(join(inScratch('broken'), name), '{"');
});

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Values that no path can be: each is a mistake that people make. */
const WRONG_PATHS = ['missing', 'empty', 'garbage', 'text', 'folder', 'broken', 'text/below-a-file'].map(inScratch);

const MODEL = 'models/minilm/1/model.onnx';
const FOLDER = 'models/minilm';
const SMALL = 'examples/own-app/models/adder';
const LOAD = ['--rps', '1', '--tokens', '10', '--cpu-ms', '1', '--gpu-ms', '1'];
const BELOW_A_FILE = inScratch('text/out');

/** Arguments that are wrong in one place, by command. A new command must be listed. */
const MISTAKES: Readonly<Record<string, readonly (readonly string[])[]>> = {
  start: [
    ...WRONG_PATHS.map((path) => ['--app', path, '--port', '0']),
    ['--port', 'many'],
    ['--port', '70000'],
    ['--stage', '../prod'],
  ],
  plan: [
    ...WRONG_PATHS.map((path) => [path, ...LOAD]),
    [FOLDER, '--rps', 'ten', '--tokens', '10'],
    [FOLDER, ...LOAD, '--instance-type', 'p9'],
    [FOLDER, ...LOAD, '--tokens', '1e9'],
    [FOLDER, ...LOAD, '--memory-mib', '0.5'],
  ],
  'model gpu-weights': [
    ...WRONG_PATHS.map((path) => [path]),
    [FOLDER, '--version', 'one'],
    [FOLDER, '--version', '__proto__'],
    [FOLDER, '--out', BELOW_A_FILE],
    [FOLDER, '--out', inScratch('folder')],
  ],
  'model init': [
    ...WRONG_PATHS.map((path) => [path]),
    [FOLDER],
    [inScratch('two'), '--weights', 'c.onnx'],
    [inScratch('two')],
    [inScratch('no good name')],
  ],
  'model inspect': WRONG_PATHS.map((path) => [path]),
  'model pack': [
    ...WRONG_PATHS.map((path) => [path]),
    [SMALL, '--out', BELOW_A_FILE],
    [SMALL, '--out', inScratch('text')],
  ],
  'model quantize': [
    ...WRONG_PATHS.map((path) => [path, '--out', inScratch('out.onnx')]),
    ...WRONG_PATHS.map((path) => [MODEL, '--out', inScratch('out.onnx'), '--inputs', path]),
    ...WRONG_PATHS.map((path) => [
      MODEL,
      '--out',
      inScratch('out.onnx'),
      '--inputs',
      'package.json',
      '--tokenizer',
      path,
    ]),
    [MODEL, '--out', BELOW_A_FILE, '--scheme', 'dynamic'],
    [MODEL, '--out', inScratch('folder'), '--scheme', 'dynamic'],
  ],
  'jobs redrive': [
    ['--queue-url', 'http://127.0.0.1:9/000000000000/dead'],
    ['--queue-url', 'dead'],
    ['--code', 'WORKER_LSOT'],
    ['--limit', '-1'],
    ['--port', '3.5'],
  ],
  'jobs sweep': [
    ['--port', '3.5'],
    ['--port', '0', 'more'],
  ],
  'tenant erase': [[], ['a/b'], ['acme', '--jobs-table', 'jobs'], ['acme', '--port', '3.5'], ['acme', 'more']],
};

const CASES = LEAVES.flatMap(({ name }) => (MISTAKES[name] ?? []).map((args) => [name, args] as const));

/** All that a command may have printed before its mistake was found. */
const PROGRESS = /^(?: {2}(?:starting|synthesizing the app, stage .*)\n)*$/;

describe('the command line', () => {
  beforeAll(() => {
    Object.assign(process.env, {
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_ACCESS_KEY_ID: 'a',
      AWS_SECRET_ACCESS_KEY: 'b',
    });
  });

  it('has mistakes to try for each of its commands', () => {
    expect(Object.keys(MISTAKES).sort()).toEqual(LEAVES.map(({ name }) => name).sort());
  });

  it.each(CASES)('tensorgate %s explains the mistake in %j, without a stack', async (name, args) => {
    const { exitCode, stdout, stderr } = await tensorgate(...name.split(' '), ...args);
    const { refused, usage, unavailable } = EXIT_CODES;
    expect([refused.code, usage.code, unavailable.code]).toContain(exitCode);
    expect(stdout).toMatch(PROGRESS);
    expect(stderr).toMatch(/^(?:[A-Z_]+|error): \S/);
    expect(stderr).not.toMatch(/^\s+at |^INTERNAL|undefined|\[object|TypeError|RangeError/m);
  });

  it.each(LEAVES)('$name names each of its options in an example that parses', ({ name, command }) => {
    const help = helpOf(command);
    const examples = [...help.matchAll(/^ {2}npx tensorgate (.+)$/gm)].map(([, line = '']) => line);
    expect(examples.length).toBeGreaterThan(0);
    for (const example of examples) {
      expect(example.startsWith(name)).toBe(true);
      const options = example.split(' ').filter((word) => word.startsWith('-'));
      const known = command.options.flatMap(({ long, short }) => [long, short]);
      expect(known).toEqual(expect.arrayContaining(options));
    }
  });

  it('prints the version, and leaves --version to the command that has an option of that name', async () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    expect(await tensorgate('--version')).toEqual({ exitCode: 0, stdout: `${version}\n`, stderr: '' });
    const { stderr } = await tensorgate('model', 'gpu-weights', FOLDER, '--version', '9');
    expect(stderr).toContain('version must be one of 1, got 9');
  });

  it.each([
    ['a refused folder', ['model', 'pack', 'package.json'], 'MANIFEST_INVALID', 1],
    ['a wrong option', ['plan', FOLDER, '--rps', '0'], 'INVALID_PARAMETER', 2],
  ])('prints %s as JSON with --json', async (_, args, code, expected) => {
    const { exitCode, stdout, stderr } = await tensorgate(...args, '--json');
    expect(JSON.parse(stdout)).toEqual({ error: { code, message: expect.any(String) } });
    expect([exitCode, stderr]).toEqual([expected, '']);
  });

  it('lists its exit codes in its help, as the documentation does', () => {
    const documented = readFileSync('docs/cli.md', 'utf8');
    for (const { code, meaning } of Object.values(EXIT_CODES)) {
      expect(helpOf(program())).toContain(`${String(code).padEnd(5)}${meaning}`);
      expect(documented).toContain(`| ${code} | ${meaning} |`);
    }
  });
});

/** The help with what stands below it. */
function helpOf(command: Command): string {
  let text = '';
  command.configureOutput({ writeOut: (chunk) => (text += chunk) });
  command.outputHelp();
  return text;
}
