import type { JobKey } from './job.ts';

/** Prefixes of the payload bucket; each has an expiration of its own. */
export const PAYLOAD_PREFIXES = {
  /** Inputs of jobs, and results that earlier releases stored. */
  jobs: 'jobs/',
  /** Results of jobs. */
  results: 'results/',
  /** Files of callers: inputs of batches and jobs, outputs of batches. */
  files: 'files/',
  /** Parts of outputs until they are merged. */
  chunks: 'chunks/',
  /** Requests to asynchronous endpoints, and their results. */
  invocations: 'invocations/',
} as const;

/** Keys of the objects in the payload bucket. */
export const payloadKeys = {
  /** @param hash - Hash of the job: two submissions of one id with different bodies must not meet in one object. */
  jobInput: ({ owner, id }: JobKey, hash: string): string =>
    `${PAYLOAD_PREFIXES.jobs}${owner}/${id}/${hash}/input.json`,
  /** @param attempt - Id of the attempt: no attempt writes over the result of another. The record names the one that counts. */
  jobResult: ({ owner, id }: JobKey, attempt: string): string => `${PAYLOAD_PREFIXES.results}${owner}/${id}/${attempt}`,
  /** Prefixes of everything that a job stored: its input, and the results of all of its attempts. */
  ofJob: ({ owner, id }: JobKey): readonly string[] => [
    `${PAYLOAD_PREFIXES.jobs}${owner}/${id}/`,
    `${PAYLOAD_PREFIXES.results}${owner}/${id}/`,
  ],
  file: (owner: string, fileId: string): string => `${PAYLOAD_PREFIXES.files}${owner}/${fileId}`,
  chunkOutput: (part: ChunkPart): string => chunkPart('output', part),
  chunkErrors: (part: ChunkPart): string => chunkPart('errors', part),
  /** Results of the lines of a chunk until all of them are known. */
  chunkResults: ({ owner, batchId, index }: ChunkPart): string =>
    `${PAYLOAD_PREFIXES.chunks}${owner}/${batchId}/results/${index}.jsonl`,
  /** A part of an upload, until the parts are one file; also their list. */
  uploadPart: (owner: string, uploadId: string, partId: string): string =>
    `${PAYLOAD_PREFIXES.chunks}${owner}/${uploadId}/${partId}`,
  /** Prefix of the temporary objects of a batch or an upload, until it is a file. */
  piecesOf: (owner: string, id: string): string => `${PAYLOAD_PREFIXES.chunks}${owner}/${id}/`,
  /** @param run - Key of the run. */
  asyncRun: (run: string): string => `${PAYLOAD_PREFIXES.invocations}${run}/run.json`,
  /** @param run - Key of the run. */
  asyncInput: (run: string, digest: string): string => `${PAYLOAD_PREFIXES.invocations}${run}/${digest}`,
  /** Prefix of the results and failures that an endpoint writes. */
  asyncOutputs: (kind: 'outputs' | 'failures'): string => `${PAYLOAD_PREFIXES.invocations}${kind}/`,
} as const;

/** Names the parts that a worker writes of a chunk. */
export interface ChunkPart {
  readonly owner: string;
  readonly batchId: string;
  readonly index: number;
  /** Id of the attempt at the chunk; absent for parts that only one writer writes. */
  readonly attempt?: string | undefined;
}

function chunkPart(kind: 'output' | 'errors', { owner, batchId, index, attempt }: ChunkPart): string {
  const name = attempt === undefined ? String(index) : `${index}.${attempt}`;
  return `${PAYLOAD_PREFIXES.chunks}${owner}/${batchId}/${kind}/${name}.jsonl`;
}
