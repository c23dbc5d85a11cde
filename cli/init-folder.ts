import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, join, relative, resolve, sep } from 'node:path';
import { styleText } from 'node:util';
import { stringify } from 'yaml';
import { AppError } from '../core/errors.ts';
import { jsonOrUndefined } from '../core/json/json.ts';
import { MANIFEST_FILE } from '../core/models/model-files.ts';
import { MODEL_ID_PATTERN } from '../core/models/model-id.ts';
import { PACKED_TOKENIZER } from '../core/models/packed-files.ts';
import type { PackedModel } from '../core/models/packed-model.ts';
import { TASKS, type TaskName } from '../core/tasks/tasks.ts';
import { hashFile } from '../disk/file-hash.ts';
import { packFolder } from './pack-folder.ts';
import { packageRoot } from './version.ts';

/** Arguments of `tensorgate model init`. */
export interface InitArguments {
  /** Path of the ONNX file inside the folder. */
  readonly weights?: string;
}

/** A manifest that was written. */
export interface Initialized {
  /** Path of the manifest. */
  readonly manifest: string;
  readonly id: string;
  readonly task: TaskName;
  readonly version: string;
  /** Path of the ONNX file inside the folder. */
  readonly weights: string;
  readonly sha256: string;
  /** Content of the manifest. */
  readonly text: string;
}

/** The entry of the weights in a new manifest. */
interface Weights {
  readonly version: string;
  readonly weights: string;
  readonly sha256: string;
}

/** Folders below the model folder in which ONNX files are looked for. */
const MAX_DEPTH = 2;

/**
 * Writes the manifest of a folder that holds an ONNX file, and checks it as packing does. The task is the first whose
 * models have such inputs and outputs; tasks with a tokenizer are tried if the folder holds one.
 *
 * @throws AppError `INVALID_PARAMETER` when the folder has a manifest, which is never overwritten, or not exactly one ONNX
 * file; `ONNX_INVALID` when the file suits no task.
 */
export async function initFolder(folder: string, options: InitArguments): Promise<Initialized> {
  const manifest = join(folder, MANIFEST_FILE);
  checkFolder(folder, manifest);
  const id = basename(resolve(folder));
  const weights = describeWeights(folder, options.weights ?? findWeights(folder));
  const reasons: string[] = [];
  for (const task of tasksFor(folder)) {
    const text = renderManifest(folder, id, task, weights);
    const problem = await tryManifest(folder, manifest, text);
    if (problem === undefined) return { manifest, id, task, ...weights, text };
    reasons.push(`as ${task}: ${problem.message}`);
  }
  throw new AppError('ONNX_INVALID', `${join(folder, weights.weights)} suits no task\n${reasons.join('\n')}`);
}

/** Renders the outcome, with what to do next. */
export function renderInitialized({ manifest, text, weights, task, id }: Initialized): string {
  const folder = manifest.slice(0, -MANIFEST_FILE.length - 1);
  return [
    `${styleText('bold', manifest)}  written and checked`,
    '',
    text.trimEnd(),
    '',
    `The task ${task} was chosen by the inputs and outputs of the file. Check the settings against the model's description.`,
    '',
    styleText('bold', 'Next'),
    '  npm start                        runs the model on this machine',
    `  npx tensorgate model quantize ${join(folder, weights)} --out ${join(folder, '2', 'model.onnx')}`,
    `                                   makes ${id} smaller and faster`,
    '',
  ].join('\n');
}

function checkFolder(folder: string, manifest: string): void {
  const stats = statSync(folder, { throwIfNoEntry: false });
  if (stats === undefined) throw new AppError('INVALID_PARAMETER', `${folder} does not exist`);
  if (!stats.isDirectory()) {
    throw new AppError('INVALID_PARAMETER', `${folder} is a file; put it into a folder that is named after the model`);
  }
  if (existsSync(manifest)) {
    throw new AppError('INVALID_PARAMETER', `${manifest} exists and is never overwritten; edit it, or remove it first`);
  }
  const id = basename(resolve(folder));
  if (MODEL_ID_PATTERN.test(id)) return;
  throw new AppError(
    'INVALID_PARAMETER',
    `the folder's name becomes the id of the model: it must be 1 to 63 letters, digits, hyphens, dots and underscores, got ${JSON.stringify(id)}`,
  );
}

/** @throws AppError `INVALID_PARAMETER` unless the folder holds exactly one ONNX file. */
function findWeights(folder: string): string {
  const files = listOnnxFiles(folder, folder, MAX_DEPTH);
  const [first, ...others] = files;
  if (first !== undefined && others.length === 0) return first;
  const found =
    first === undefined
      ? `${folder} holds no .onnx file`
      : `--weights is needed: ${folder} holds ${files.length} ONNX files, ${files.join(', ')}`;
  throw new AppError('INVALID_PARAMETER', found);
}

function listOnnxFiles(root: string, folder: string, depth: number): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .sort((a, b) => a.name.localeCompare(b.name))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return depth === 0 ? [] : listOnnxFiles(root, path, depth - 1);
      return entry.name.endsWith('.onnx') ? [relative(root, path).split(sep).join('/')] : [];
    });
}

/** The version is the folder of the file if that is a number. */
function describeWeights(folder: string, weights: string): Weights {
  const path = join(folder, weights);
  if (!existsSync(path) || statSync(path).isDirectory()) {
    throw new AppError('INVALID_PARAMETER', `--weights must be a file inside ${folder}, got ${weights}`);
  }
  const [version = '1'] = /^[1-9]\d{0,8}(?=\/)/.exec(weights) ?? [];
  return { version, weights, sha256: hashFile(path) };
}

/** Tasks with a tokenizer come first, and only if the folder holds one. */
function tasksFor(folder: string): TaskName[] {
  const names = Object.keys(TASKS) as TaskName[];
  const readsText = (name: TaskName) => TASKS[name].task.preprocessors.includes('tokenizer');
  const hasTokenizer = existsSync(join(folder, PACKED_TOKENIZER));
  return [...(hasTokenizer ? names.filter(readsText) : []), ...names.filter((name) => !readsText(name))];
}

function renderManifest(folder: string, id: string, task: TaskName, { version, weights, sha256 }: Weights): string {
  const readJson = (name: string): unknown => {
    const path = join(folder, name);
    return existsSync(path) ? jsonOrUndefined(readFileSync(path, 'utf8')) : undefined;
  };
  const definition: { suggestKeys?(read: typeof readJson): object } = TASKS[task];
  const keys = definition.suggestKeys?.(readJson) ?? {};
  const body = stringify({ id, task, versions: { [version]: { weights, sha256 } }, ...keys }, { lineWidth: 0 });
  return `${schemaComment(folder)}${body}`;
}

/** Returns the line that shows editors the schema, if the schema belongs to the project of the folder. */
function schemaComment(folder: string): string {
  const schema = join(packageRoot(), 'docs/schemas/model.schema.json');
  const isInProject = (path: string) => !relative(process.cwd(), path).startsWith('..');
  if (!isInProject(schema) || !isInProject(resolve(folder))) return '';
  return `# yaml-language-server: $schema=${relative(resolve(folder), schema).split(sep).join('/')}\n`;
}

/** Writes a manifest and packs the folder; a manifest that does not pass is removed. */
async function tryManifest(folder: string, manifest: string, text: string): Promise<AppError | undefined> {
  writeFileSync(manifest, text, { flag: 'wx' });
  let packed: PackedModel | undefined;
  try {
    packed = await packFolder(folder, undefined);
    return undefined;
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  } finally {
    if (packed === undefined) rmSync(manifest);
  }
}
