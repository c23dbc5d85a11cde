import { existsSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import type { Manifest } from '../../core/models/manifest.ts';
import { CALIBRATION_FILE, GOLDEN_FILE } from '../../core/models/model-files.ts';
import { PACKED_TOKENIZER } from '../../core/models/packed-files.ts';
import { parse } from '../../core/parse.ts';
import type { Tensors } from '../runtime/session.ts';
import { readJson, readSamples } from './sample-inputs.ts';
import { textFeeds } from './text-feeds.ts';

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
 * @param inputNames - Inputs of the model.
 * @returns Undefined when the folder holds neither.
 * @throws AppError `INVALID_PARAMETER` if a file exists and is invalid.
 */
export function readFolderSamples(
  folder: string,
  { tokenizer, limits }: Manifest,
  inputNames: readonly string[],
): FolderSamples | undefined {
  const golden = join(folder, GOLDEN_FILE);
  const calibration = join(folder, CALIBRATION_FILE);
  const tokenizerPath = join(folder, tokenizer ?? PACKED_TOKENIZER);
  if (existsSync(golden) && existsSync(tokenizerPath)) {
    const { items } = parse(goldenSchema, readJson(golden), golden, 'INVALID_PARAMETER');
    const texts = items.map(({ text }) => text);
    return { feeds: textFeeds(texts, readJson(tokenizerPath), inputNames, limits.maxTokens), source: GOLDEN_FILE };
  }
  if (!existsSync(calibration)) return undefined;
  const options = { tokenizer: tokenizerPath, inputNames, maxTokens: limits.maxTokens };
  return { feeds: readSamples(calibration, options).feeds, source: CALIBRATION_FILE };
}
