import type { Budgets } from '../identity/budgets.ts';
import type { PayloadReference } from '../jobs/job.ts';

/** Purposes that callers may give to files. */
export const FILE_PURPOSES = ['batch', 'user_data'] as const;

/** Purpose of a file: the one that its owner gave, or `batch_output` for files that a batch wrote. */
export type FilePurpose = (typeof FILE_PURPOSES)[number] | 'batch_output';

/**
 * Where a file stands.
 *
 * - `pending`: its bytes are expected at a presigned URL until `uploadExpiresAtMs`;
 * - `uploaded`: its bytes have arrived in parts, and are being assembled;
 * - `processed`: it can be used;
 * - `error`: the bytes that arrived differ from the declared ones.
 */
export type FileStatus = 'pending' | 'uploaded' | 'processed' | 'error';

/** The record of a file; a deleted file has none. */
export interface StoredFile {
  /** Tenant that the file belongs to. */
  readonly owner: string;
  /** `file-` and 26 characters that start with the time of creation (see `timeOrderedId`). */
  readonly id: string;
  readonly filename: string;
  readonly purpose: FilePurpose;
  /** Bytes that it has, or will have once it is uploaded. */
  readonly bytes: number;
  readonly status: FileStatus;
  /** Why the status is `error`. */
  readonly statusDetails?: string;
  /** The location of its bytes. */
  readonly payload: PayloadReference;
  /** Milliseconds since the Unix epoch, as all times here. */
  readonly createdAtMs: number;
  /** When record and bytes may be deleted; the file counts as gone from then on. */
  readonly expiresAtMs: number;
  /** End of the time for uploading it; for a pending file only. */
  readonly uploadExpiresAtMs?: number;
  /** When its deletion started: it counts as deleted from then on. */
  readonly deletedAtMs?: number;
}

/** Which files to list. */
export interface FileQuery {
  readonly owner: string;
  readonly purpose?: string;
  readonly order: 'asc' | 'desc';
  /** From 1 to 100. */
  readonly limit: number;
  /** Id of the last file of the page before; it may have been deleted since. */
  readonly after?: string;
}

/** One page of files. */
export interface FilePage {
  readonly files: readonly StoredFile[];
  readonly hasMore: boolean;
}

/** How a new file counts in the usage of its owner. */
export interface FileCounting {
  /**
   * Budgets that must not be exceeded with it.
   *
   * @default - the file is counted, and never refused
   */
  readonly budgets?: Budgets;
  /** Whether its bytes are counted already, as those of an upload are. */
  readonly hasCountedBytes?: boolean;
}

/** The outcome of {@link FileStore.startRemoval}. */
export type RemovalStart =
  | { readonly kind: 'started'; readonly file: StoredFile }
  /** Batches read the file. */
  | { readonly kind: 'read' }
  /** There is no such file. */
  | { readonly kind: 'absent' };

/** The records of files. Each belongs to an owner, and no other owner can access it. */
export interface FileStore {
  /** Reads a record, strongly consistent; undefined too once the file has expired. */
  get(owner: string, id: string): Promise<StoredFile | undefined>;
  /**
   * Creates the record, unless there is one, and counts it in the usage of its owner.
   *
   * @returns The record that is stored now.
   * @throws AppError `BUDGET_EXCEEDED`.
   */
  create(file: StoredFile, counting?: FileCounting): Promise<StoredFile>;
  /**
   * Ends the waiting for a file's bytes; does nothing to a file that is not waiting for them, or is gone.
   *
   * @param details - Why the status becomes `error`.
   */
  settle(owner: string, id: string, status: 'processed' | 'error', details?: string): Promise<void>;
  /**
   * Starts the deletion of a file, unless a batch reads it: the file counts as deleted from now on. A deletion that was
   * started and not finished can be started again.
   */
  startRemoval(owner: string, id: string): Promise<RemovalStart>;
  /** Deletes the record. */
  remove(owner: string, id: string): Promise<void>;
  /** @throws AppError `INVALID_PARAMETER` when `after` is not the id of a file. */
  list(query: FileQuery): Promise<FilePage>;
}
