import { readdirSync, readFileSync, statSync } from 'node:fs';
import { extname, join } from 'node:path';
import { AppError } from '../../core/errors.ts';
import { type Feeds, keepInMemory, pickFeeds, spreadFeeds } from '../runtime/feeds.ts';
import type { ProgressCounter } from '../runtime/progress.ts';
import { arrayFeeds } from './array-samples.ts';
import { type ImageOptions, imageFeeds } from './image-feeds.ts';
import { JsonSamples } from './json-samples.ts';
import { checkFeed, type ModelInput } from './model-inputs.ts';
import { openNpy } from './npy-file.ts';
import { openNpz } from './npz-archive.ts';
import { readJson, textFeeds } from './text-feeds.ts';

/** Options of {@link openSamples}. */
export interface SampleOptions {
  /** Inputs of the model. */
  readonly inputs: readonly ModelInput[];
  /** Path of the `tokenizer.json`; needed when the samples are texts. */
  readonly tokenizer?: string | undefined;
  /** Tokens after which a text is cut. Defaults to the tokenizer's own limit. */
  readonly maxTokens?: number | undefined;
  /** Samples that are used, evenly spread over all. Defaults to all. */
  readonly maxSamples?: number | undefined;
  /** Counts the samples that are read at the start. Defaults to a counter without a reader. */
  readonly progress?: ProgressCounter | undefined;
  /** How pictures become inputs. Defaults to what the model declares. */
  readonly image?: ImageOptions | undefined;
}

/** Sample inputs of a model. */
export interface Samples {
  /** The samples that are used. Each is read and checked when it is needed. */
  readonly feeds: Feeds;
  /** Whether they were made of texts. */
  readonly areTexts: boolean;
  /** How many samples there are, used or not. */
  readonly available: number;
  /** Removes what was unpacked. */
  close(): void;
}

type Opened = Pick<Samples, 'feeds' | 'areTexts'> & Partial<Pick<Samples, 'close'>>;

/** Bytes of samples that are kept in memory, so that they need not be read and decoded again for each model. */
const KEPT_BYTES = 256 * 2 ** 20;

const IMAGES: readonly string[] = ['.jpg', '.jpeg', '.png'];

/**
 * Opens sample inputs of any size: a JSON list of texts or of requests, a `.npy` or `.npz` file, or a folder of pictures
 * (`.jpg`, `.png`) or of texts (`.txt`).
 *
 * @throws AppError `INVALID_PARAMETER` when there are none, they cannot be read, or they are not what the model takes.
 */
export async function openSamples(path: string, options: SampleOptions): Promise<Samples> {
  const { feeds, areTexts, close = () => undefined } = await openByKind(path, options);
  try {
    if (feeds.count === 0) throw wrong(`${path} holds no inputs, it must contain at least one`);
    const used = keepInMemory(
      checked(spreadFeeds(feeds, options.maxSamples ?? feeds.count), options.inputs, path),
      KEPT_BYTES,
    );
    // All are read once, so that a mistake in the last one is found before the work begins.
    options.progress?.expect(used.count);
    for (let index = 0; index < used.count; index++) {
      options.progress?.begin('inputs');
      await used.read(index);
    }
    return { feeds: used, areTexts, available: feeds.count, close };
  } catch (error) {
    close();
    throw error;
  }
}

function checked(feeds: Feeds, inputs: readonly ModelInput[], path: string): Feeds {
  return {
    count: feeds.count,
    read: async (index) => {
      const feed = await feeds.read(index);
      checkFeed(feed, inputs, `input ${index + 1} of ${path}`);
      return feed;
    },
  };
}

async function openByKind(path: string, options: SampleOptions): Promise<Opened> {
  const { inputs } = options;
  const status = statSync(path, { throwIfNoEntry: false });
  if (status === undefined) throw wrong(`${path} cannot be read: it does not exist`);
  if (status.isDirectory()) return openFolder(path, options);
  const extension = extname(path).toLowerCase();
  if (extension === '.npz') {
    const { arrays, close } = await openNpz(path);
    try {
      return { feeds: arrayFeeds(arrays, inputs, path), areTexts: false, close };
    } catch (error) {
      close();
      throw error;
    }
  }
  if (extension === '.npy') return { feeds: arrayFeeds(singleArray(path, inputs), inputs, path), areTexts: false };
  return openJson(path, options);
}

function singleArray(path: string, inputs: readonly ModelInput[]) {
  const [input, ...others] = inputs;
  if (input === undefined || others.length > 0) {
    const names = inputs.map(({ name }) => name).join(', ');
    throw wrong(`${path} holds one array, the model takes ${names}: save them as a .npz file with these names`);
  }
  return new Map([[input.name, openNpy(path)]]);
}

function openJson(path: string, options: SampleOptions): Opened {
  const samples = JsonSamples.open(path);
  if (!samples.areTexts) {
    return { feeds: { count: samples.count, read: async (index) => samples.readRequest(index) }, areTexts: false };
  }
  return openTexts({ count: samples.count, read: (index) => samples.readText(index) }, path, options);
}

/** Texts that are read one by one. */
interface Texts {
  readonly count: number;
  read(index: number): string;
}

function openTexts(texts: Texts, path: string, { tokenizer, inputs, maxTokens }: SampleOptions): Opened {
  if (tokenizer === undefined) {
    throw new AppError('INVALID_PARAMETER', `${path} holds texts, which need a tokenizer`, { param: 'tokenizer' });
  }
  const names = inputs.map(({ name }) => name);
  const tokenize = textFeeds(readJson(tokenizer), names, maxTokens);
  return { feeds: { count: texts.count, read: async (index) => tokenize(texts.read(index)) }, areTexts: true };
}

/** Files of a folder by name, so that the order does not depend on the file system. */
function openFolder(path: string, options: SampleOptions): Opened {
  const files = readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
    .map(({ name }) => name)
    .sort();
  const extensions = new Set(files.map((name) => extname(name).toLowerCase()));
  const paths = files.map((name) => join(path, name));
  if (files.length > 0 && [...extensions].every((extension) => IMAGES.includes(extension))) {
    return { feeds: imageFeeds(paths, options.inputs, options.image ?? {}), areTexts: false };
  }
  if (files.length > 0 && [...extensions].every((extension) => extension === '.txt')) {
    return openTexts({ count: paths.length, read: (index) => readFileSync(paths[index] ?? '', 'utf8') }, path, options);
  }
  throw wrong(
    `${path} must contain pictures only (.jpg, .png) or texts only (.txt), got ${files.length === 0 ? 'no files' : [...extensions].map((extension) => extension || 'files without an extension').join(', ')}`,
  );
}

/**
 * Parts samples into those that ranges are taken from and those that accuracy is measured on: every fourth one.
 *
 * Fewer than eight serve for both: neither half would say much.
 */
export function splitSamples(feeds: Feeds): { readonly calibration: Feeds; readonly feeds: Feeds } {
  if (feeds.count < 8) return { calibration: feeds, feeds };
  const indices = Array.from({ length: feeds.count }, (_, index) => index);
  return {
    calibration: pickFeeds(
      feeds,
      indices.filter((index) => index % 4 !== 3),
    ),
    feeds: pickFeeds(
      feeds,
      indices.filter((index) => index % 4 === 3),
    ),
  };
}

function wrong(message: string): AppError {
  return new AppError('INVALID_PARAMETER', message, { param: 'inputs' });
}
