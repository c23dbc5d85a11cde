import type { Budgets } from '../identity/budgets.ts';
import type { AssemblyState } from './assembly.ts';
import type { FilePurpose } from './file.ts';

/** Where an upload stands; `expired` is a pending one whose time is over, and is never written. */
export type UploadStatus = 'pending' | 'completed' | 'cancelled' | 'expired';

/** The record of an upload in parts. */
export interface Upload {
  readonly owner: string;
  /** `upload_` and 26 characters. */
  readonly id: string;
  readonly filename: string;
  readonly purpose: FilePurpose;
  readonly mimeType: string;
  /** Bytes that the parts must have together. */
  readonly bytes: number;
  readonly status: UploadStatus;
  /** Milliseconds since the Unix epoch, as all times here. */
  readonly createdAtMs: number;
  /** End of the time for uploading. */
  readonly expiresAtMs: number;
  /** When the record may be deleted. */
  readonly keptUntilMs: number;
  /** How long the file is kept, counted from its creation; absent: as long as every file. */
  readonly fileExpiresAfterSeconds?: number;
  /** Bytes of the parts that were sent, those that were sent again included. */
  readonly receivedBytes?: number;
  /** Number of those parts. */
  readonly receivedParts?: number;
  /** This member and the following ones exist after completion. */
  readonly fileId?: string;
  readonly completedAtMs?: number;
  /** SHA-256 over the list of parts: completing again with the same list succeeds. */
  readonly partsHash?: string;
  /** Number of parts. */
  readonly partCount?: number;
  /** MD5 sum of all bytes as the caller knows it. */
  readonly md5?: string;
  readonly assembly?: AssemblyState;
}

/** A part of an upload. */
export interface UploadPart {
  readonly uploadId: string;
  /** `part_` and 26 characters. */
  readonly id: string;
  readonly bytes: number;
  readonly createdAtMs: number;
}

/** One part of the list that completes an upload, as it is stored with the parts. */
export type ListedPart = readonly [id: string, bytes: number];

/** Members of an upload that change. */
export type UploadMembers = Partial<Omit<Upload, 'owner' | 'id'>>;

/** A change of an upload that is made if, and only if, the upload is as expected. */
export interface UploadChange {
  readonly set: UploadMembers;
  readonly statusIn: readonly UploadStatus[];
  /** Members that must have these values; undefined stands for a member that must be absent. */
  readonly expect?: UploadMembers & { readonly 'assembly.step'?: number };
}

/** The records of uploads and their parts. */
export interface UploadStore {
  /** Reads an upload, strongly consistent. */
  get(owner: string, id: string): Promise<Upload | undefined>;
  /**
   * Creates the record, and counts its bytes in the usage of its owner.
   *
   * @throws AppError `BUDGET_EXCEEDED`.
   */
  create(upload: Upload, budgets?: Budgets): Promise<void>;
  /**
   * Makes room for a part before its bytes are written.
   *
   * @returns Whether the upload is pending, and has room for it within `most`.
   */
  reservePart(
    owner: string,
    id: string,
    bytes: number,
    most: { readonly bytes: number; readonly parts: number },
  ): Promise<boolean>;
  /** @returns Whether the change was made, and the upload as it is now. */
  change(
    owner: string,
    id: string,
    change: UploadChange,
  ): Promise<{ readonly isDone: boolean; readonly upload: Upload | undefined }>;
  /** @param keptUntilMs - When the record of the part may be deleted. */
  addPart(part: UploadPart, keptUntilMs: number): Promise<void>;
  /** Reads parts; those that are not there are absent. */
  readParts(uploadId: string, ids: readonly string[]): Promise<ReadonlyMap<string, UploadPart>>;
}

/** A step of the assembly of an upload's parts, which resumes where the last step stopped. */
export interface UploadStepMessage {
  readonly v: 1;
  readonly kind: 'assemble';
  readonly owner: string;
  readonly uploadId: string;
}
