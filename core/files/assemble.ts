import { AppError } from '../errors.ts';
import { ASSEMBLY_START, type AssemblyState, partBytes } from './assembly.ts';
import type { FileObjects } from './file-objects.ts';
import { MD5_START, type ResumableMd5 } from './resumable-md5.ts';

/** Some bytes of a piece. */
export interface PieceSlice {
  readonly bytes: Uint8Array;
  /** Whether the piece ends with them. */
  readonly isLast: boolean;
}

/** The pieces of a file, in order. */
export interface Pieces {
  readonly count: number;
  /** Reads on in a piece, as much as it likes but at least one byte unless the piece ends there. */
  read(index: number, offset: number): Promise<PieceSlice>;
}

/** Inputs of an assembly, and its destination. */
export interface Assembly {
  readonly objects: Pick<FileObjects, 'size' | 'write' | 'begin' | 'writePart' | 'complete' | 'abort'>;
  /** Key of the file. */
  readonly key: string;
  readonly contentType: string;
  readonly pieces: Pieces;
  /** Opens MD5. Called only for a state that holds one. */
  readonly openMd5: () => Promise<ResumableMd5>;
  /** Whether there is time for another part. */
  readonly hasTime: () => boolean;
  /**
   * Records a state that replaces the one whose step is one lower.
   *
   * @returns The state that is recorded now: another one if a concurrent call was quicker.
   */
  readonly save: (state: AssemblyState) => Promise<AssemblyState>;
}

/** An assembly under way. */
interface Run extends Assembly {
  /** Undefined if no MD5 is requested. */
  readonly md5: ResumableMd5 | undefined;
}

/** Pieces that are fetched ahead: many are small, and one after the other would be slow. */
const PIECES_AHEAD = 6;

/**
 * Puts a file together, in bounded memory: a part at a time, each recorded once it is uploaded, so that a later call
 * resumes there. Two concurrent calls only do the same work twice.
 *
 * @returns The state reached; `done` unless the time ran out.
 * @throws AppError `FILE_TOO_LARGE` beyond the parts that S3 takes, and the errors of the objects and pieces.
 */
export async function assemble(state: AssemblyState, assembly: Assembly): Promise<AssemblyState> {
  const md5 = state.md5 === undefined ? undefined : await assembly.openMd5();
  const run: Run = { ...assembly, md5, pieces: readAhead(assembly.pieces) };
  let current = await resumable(state, run);
  while (!current.done && run.hasTime()) {
    const isRead = current.index >= run.pieces.count;
    current = isRead ? await close(current, run) : await addPart(current, run);
  }
  return current;
}

/** Starts over if the MD5 cannot be resumed: another release stored it, before a deployment. */
async function resumable(state: AssemblyState, { objects, key, md5, save }: Run): Promise<AssemblyState> {
  if (state.md5 === undefined || md5?.canResume(state.md5)) return state;
  if (state.uploadId !== undefined) await objects.abort(key, state.uploadId);
  return save(startedAgain(state));
}

async function addPart(state: AssemblyState, run: Run): Promise<AssemblyState> {
  const { objects, key, contentType, pieces, save } = run;
  const part = await fillPart(state, run);
  if (part.next.index >= pieces.count && state.parts === 0) {
    if (part.bytes.length > 0) await objects.write(key, part.bytes, contentType);
    return save({ ...part.next, step: state.step + 1, done: true });
  }
  const begun = state.uploadId === undefined ? await begin(state, run) : state;
  if (begun.uploadId === undefined || begun.index !== state.index || begun.offset !== state.offset) return begun;
  const number = state.parts + 1;
  const tag = await objects.writePart(key, begun.uploadId, number, part.bytes);
  if (tag === undefined) return settleGone(begun, run);
  const tags = begun.tags === '' ? tag : `${begun.tags} ${tag}`;
  return save({ ...part.next, step: begun.step + 1, uploadId: begun.uploadId, parts: number, tags });
}

async function begin(state: AssemblyState, { objects, key, contentType, save }: Assembly): Promise<AssemblyState> {
  const uploadId = await objects.begin(key, contentType);
  const begun = await save({ ...state, step: state.step + 1, uploadId });
  if (begun.uploadId !== uploadId) await objects.abort(key, uploadId);
  return begun;
}

async function close(state: AssemblyState, assembly: Assembly): Promise<AssemblyState> {
  const { objects, key, save } = assembly;
  if (state.uploadId === undefined) return save(finished(state));
  const outcome = await objects.complete(key, state.uploadId, state.tags.split(' '));
  if (outcome === 'gone') return settleGone(state, assembly);
  if (outcome === 'done') return save(finished(state));
  await objects.abort(key, state.uploadId);
  return save(startedAgain(state));
}

/**
 * The upload is gone: a concurrent call completed it, which the object shows, or it was aborted, and the assembly starts
 * over.
 */
async function settleGone(state: AssemblyState, { objects, key, pieces, save }: Assembly): Promise<AssemblyState> {
  const isWhole = state.index >= pieces.count && (await objects.size(key)) === state.bytes;
  return save(isWhole ? finished(state) : startedAgain(state));
}

/**
 * Returns the state in which an assembly starts.
 *
 * @param withMd5 - Whether the MD5 of the file is requested.
 */
export function startAssembly(withMd5: boolean): AssemblyState {
  return withMd5 ? { ...ASSEMBLY_START, md5: MD5_START } : ASSEMBLY_START;
}

function startedAgain({ md5, step }: AssemblyState): AssemblyState {
  return { ...startAssembly(md5 !== undefined), step: step + 1 };
}

function finished(state: AssemblyState): AssemblyState {
  return { ...state, step: state.step + 1, tags: '', done: true };
}

async function fillPart(state: AssemblyState, { pieces, md5 }: Run) {
  const targetBytes = partBytes(state.parts + 1);
  if (targetBytes === undefined)
    throw new AppError('FILE_TOO_LARGE', 'the file would need more parts than S3 accepts; send several smaller files');
  const slices: Uint8Array[] = [];
  let { index, offset } = state;
  let length = 0;
  while (length < targetBytes && index < pieces.count) {
    const { bytes, isLast } = await pieces.read(index, offset);
    slices.push(bytes);
    length += bytes.length;
    offset = isLast ? 0 : offset + bytes.length;
    if (isLast) index++;
  }
  const bytes = concat(slices, length);
  const hashed = state.md5 === undefined ? undefined : md5?.update(state.md5, bytes);
  return { bytes, next: { ...state, md5: hashed, index, offset, bytes: state.bytes + length } };
}

function concat(slices: readonly Uint8Array[], length: number): Uint8Array {
  const all = new Uint8Array(length);
  let at = 0;
  for (const slice of slices) {
    all.set(slice, at);
    at += slice.length;
  }
  return all;
}

/** Fetches the beginnings of the next pieces while one is read. */
function readAhead(pieces: Pieces): Pieces {
  const fetched = new Map<number, Promise<PieceSlice>>();
  const fetch = (index: number) => {
    if (index >= pieces.count || fetched.has(index)) return;
    const slice = pieces.read(index, 0);
    // The reader of the piece gets the failure. If there is none, it must not end the process.
    slice.catch(() => undefined);
    fetched.set(index, slice);
  };
  return {
    count: pieces.count,
    read: (index, offset) => {
      for (const old of fetched.keys()) if (old < index) fetched.delete(old);
      for (let ahead = 1; ahead <= PIECES_AHEAD; ahead++) fetch(index + ahead);
      if (offset > 0) return pieces.read(index, offset);
      fetch(index);
      const slice = fetched.get(index) ?? pieces.read(index, 0);
      fetched.delete(index);
      return slice;
    },
  };
}
