import type { BatchStore } from '../../core/batches/batch-store.ts';
import type { Clock } from '../../core/clock.ts';
import type { FileStore } from '../../core/files/file.ts';
import type { FileObjects } from '../../core/files/file-objects.ts';
import type { ResumableMd5 } from '../../core/files/resumable-md5.ts';
import type { UploadStore } from '../../core/files/upload.ts';
import type { FunctionSettings } from '../../core/functions/settings.ts';
import type { Budgets } from '../../core/identity/budgets.ts';
import type { MessageQueue } from '../../core/jobs/message-queue.ts';
import type { PayloadStore } from '../../core/jobs/payload-store.ts';
import type { UsageStore } from '../../core/usage/usage.ts';
import type { HttpRequest, NotedRequest } from '../shared/http/http-request.ts';

/** The bytes of files, and the addresses that they are read at. */
export interface Storage {
  readonly objects: FileObjects;
  readonly payloads: Pick<PayloadStore, 'presignGet'>;
}

/** Dependencies of the routes. */
export interface RouteDeps {
  readonly settings: Pick<FunctionSettings, 'fileRetentionDays' | 'maxFileBytes' | 'taskModels' | 'modelIds'> &
    Partial<Pick<FunctionSettings, 'modelAliases'>>;
  readonly files: FileStore;
  readonly uploads: UploadStore;
  readonly batches: BatchStore;
  readonly usage: UsageStore;
  /** Drops the webhooks of a deleted batch that were not delivered. */
  readonly forgetDeliveries: (owner: string, batchId: string, deletedAtMs: number) => Promise<void>;
  /** Opens S3. Requests that only read records never need it. */
  readonly storage: () => Promise<Storage>;
  readonly openMd5: () => Promise<ResumableMd5>;
  /** Opens the queue of batch steps. */
  readonly steps: () => Promise<MessageQueue>;
  readonly clock: Clock;
  /** Returns the requested number of random bytes. */
  readonly entropy: (bytes: number) => Uint8Array;
}

/** One request. */
export interface Call extends HttpRequest<NotedRequest>, RouteDeps {
  /** Tenant of the caller. */
  readonly owner: string;
  /** Usage plan of the caller, if it has one. */
  readonly plan: string | undefined;
  /** Budgets of the plan of the caller. */
  readonly budgets: Budgets;
  /** Whether there is time for more work before the response. */
  readonly hasTime: () => boolean;
  /** Logs failures that did not fail the request. */
  readonly note: (message: string, cause: unknown) => void;
}

/** Returns the id in the path of a request. */
export function idOf({ params }: Call): string {
  return params['id'] ?? '';
}

/** Returns query parameters of a request. */
export function queryOf({ event }: Call): Readonly<Record<string, string | undefined>> {
  return event.queryStringParameters ?? {};
}
