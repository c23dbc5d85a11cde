import { existsSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import type { Manifest } from '../../core/models/manifest.ts';
import { CALIBRATION_FILE, GOLDEN_FILE } from '../../core/models/model-files.ts';
import { PACKED_TOKENIZER } from '../../core/models/packed-files.ts';
import { parse } from '../../core/parse.ts';
import { readAll } from '../runtime/feeds.ts';
import type { Tensors } from '../runtime/session.ts';
import type { ModelInput } from './model-inputs.ts';
import { openSamples } from './open-samples.ts';
import { readJson, textFeeds } from './text-feeds.ts';

const goldenSchema = v.looseObject({ items: v.pipe(v.array(v.looseObject({ text: v.string() })), v.minLength(1)) });

/** Inputs that a model folder holds. */
export interface FolderSamples {
  readonly feeds: readonly Tensors[];
  /** Name of the file that they are from. */
  readonly source: string;
}

/**
 * Reads the inputs that a model folder brings along to measure a model by: the texts of `golden.json`, else what
 * `calibration.json` lists.
 *
 * @param inputs - Inputs of the model.
 * @returns Undefined when the folder holds neither.
 * @throws AppError `INVALID_PARAMETER` if a file exists and is invalid.
 */
export async function readFolderSamples(
  folder: string,
  { tokenizer, limits }: Manifest,
  inputs: readonly ModelInput[],
): Promise<FolderSamples | undefined> {
  const golden = join(folder, GOLDEN_FILE);
  const calibration = join(folder, CALIBRATION_FILE);
  const tokenizerPath = join(folder, tokenizer ?? PACKED_TOKENIZER);
  if (existsSync(golden) && existsSync(tokenizerPath)) {
    const { items } = parse(goldenSchema, readJson(golden), golden, 'INVALID_PARAMETER');
    const names = inputs.map(({ name }) => name);
    const tokenize = textFeeds(readJson(tokenizerPath), names, limits.maxTokens);
    return { feeds: items.map(({ text }) => tokenize(text)), source: GOLDEN_FILE };
  }
  if (!existsSync(calibration)) return undefined;
  const samples = await openSamples(calibration, { inputs, tokenizer: tokenizerPath, maxTokens: limits.maxTokens });
  return { feeds: await readAll(samples.feeds), source: CALIBRATION_FILE };
}
