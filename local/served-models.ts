import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Manifest } from '../core/models/manifest.ts';
import { PACKED_DESCRIPTION } from '../core/models/packed-files.ts';
import { parsePackedModel } from '../core/models/packed-model.ts';
import type { FunctionPlan } from './template/plan-functions.ts';

/** A model that one of the functions serves. */
export interface ServedModel {
  readonly id: string;
  readonly task: Manifest['task'];
}

/**
 * Finds the models inside the functions' packages.
 *
 * @returns Each model once, ordered by id, because the worker and the function of a model hold the same one.
 */
export async function findServedModels(functions: readonly FunctionPlan[]): Promise<ServedModel[]> {
  const found = await Promise.all(
    functions.map(({ taskRoot }) => readModel(join(taskRoot, 'model', PACKED_DESCRIPTION))),
  );
  const models = new Map(found.filter((model) => model !== undefined).map((model) => [model.id, model]));
  return [...models.values()].sort((a, b) => a.id.localeCompare(b.id));
}

async function readModel(file: string): Promise<ServedModel | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch {
    return undefined; // This function serves no model.
  }
  const { id, task } = parsePackedModel(JSON.parse(text), file).manifest;
  return { id, task };
}
