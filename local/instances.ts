import { link, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { processExists, removeFoldersOfEndedProcesses } from './aws/ended-processes.ts';
import { errorCode } from './aws/error-code.ts';
import type { LocalDescription } from './local-description.ts';
import { findPortProblem, portError } from './services/api-gateway/port.ts';

/** Description of the first instance in a folder. A further one has the port of its API in the name. */
const FIRST_FILE = 'local.json';

/** `local.json` and `local-3001.json`. */
const FILE_PATTERN = /^local(?:-\d+)?\.json$/;

/** Time after which a port that does not accept a connection counts as closed, in milliseconds. */
const CONNECT_LIMIT_MS = 1000;

/** A running app, as the file that describes it says. */
export interface Instance {
  /** Path of the file. */
  readonly file: string;
  readonly description: LocalDescription;
}

/** The instances of local mode that a folder describes. */
export interface Instances {
  readonly running: readonly Instance[];
  /** Left over from processes that were killed. */
  readonly stale: readonly Instance[];
}

/** Folders that belong to one process, such as `logs-4711` and `assembly-4711-1`. */
const FOLDER_OF_PROCESS = /^(?:logs|assembly)-(\d+)(?:-\d+)?$/;

/** Removes the folders of processes that were killed. */
export function removeLeftovers(directory: string): Promise<void> {
  return removeFoldersOfEndedProcesses(directory, FOLDER_OF_PROCESS);
}

/**
 * Checks that a port is free, before anything that takes time.
 *
 * @param port - Port; 0 is always free.
 * @param directory - Folder whose instances are named if one of them uses the port.
 * @throws AppError `LOCAL_START` when the port is taken.
 */
export async function checkPort(port: number, directory: string): Promise<void> {
  if (port === 0) return;
  const problem = await findPortProblem(port);
  if (problem === undefined) return;
  const { running } = await findInstances(directory);
  const own = running.find(({ description }) => portOf(description) === port);
  throw own === undefined
    ? problem
    : portError(port, `is in use by local mode of this folder, process ${own.description.pid}`);
}

/** Returns the port of the API of a running app. */
export function portOf({ url }: Pick<LocalDescription, 'url'>): number {
  return Number(new URL(url).port);
}

/**
 * Finds the instances of local mode.
 *
 * @param directory - Folder of local mode's files: `.tensorgate`.
 */
export async function findInstances(directory: string): Promise<Instances> {
  const names = await readdir(directory).catch(() => []);
  const files = names.filter((name) => FILE_PATTERN.test(name)).map((name) => join(directory, name));
  const read = await Promise.all(files.map(readInstance));
  const found = read.filter((instance) => instance !== undefined);
  const areRunning = await Promise.all(found.map(isRunning));
  return {
    running: found.filter((_, index) => areRunning[index]),
    stale: found.filter((_, index) => !areRunning[index]),
  };
}

/**
 * Writes the description of a running app, for other programs to read. The file of another running instance is left alone;
 * one that is left over is replaced.
 *
 * @returns Path of the file. The caller removes it when the app has stopped.
 */
export async function describeInstance(directory: string, description: LocalDescription): Promise<string> {
  await mkdir(directory, { recursive: true });
  const first = join(directory, FIRST_FILE);
  const own = join(directory, `local-${portOf(description)}.json`);
  // No other instance listens on this port, so an existing file of this name is left over.
  await writeFile(own, `${JSON.stringify(description, undefined, 2)}\n`, { mode: 0o600 });
  if (!(await linkUnlessRunning(own, first))) return own;
  await rm(own);
  return first;
}

/** Two instances may start at the same time: a link is created complete or not at all. */
async function linkUnlessRunning(own: string, file: string): Promise<boolean> {
  for (;;) {
    try {
      await link(own, file);
      return true;
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error;
    }
    const other = await readInstance(file);
    if (other !== undefined && (await isRunning(other))) return false;
    await rm(file, { force: true });
  }
}

async function readInstance(file: string): Promise<Instance | undefined> {
  try {
    const description = JSON.parse(await readFile(file, 'utf8')) as LocalDescription;
    return URL.canParse(description.url) ? { file, description } : undefined;
  } catch {
    return undefined; // Removed meanwhile, or not written completely.
  }
}

/** The number of an ended process may belong to another one by now, so its port must be open too. */
async function isRunning({ description }: Instance): Promise<boolean> {
  return processExists(description.pid) && (await accepts(portOf(description)));
}

function accepts(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ port, host: '127.0.0.1' });
  socket.setTimeout(CONNECT_LIMIT_MS);
  socket.once('connect', () => resolve(true));
  for (const event of ['error', 'timeout']) socket.once(event, () => resolve(false));
  return promise.finally(() => socket.destroy());
}
