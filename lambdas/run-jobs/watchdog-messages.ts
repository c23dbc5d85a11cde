import type { TableWrite } from '../shared/aws/table-write.ts';

/** A request of a worker to its watchdog. The watchdog answers requests to let go and to cancel, with their ids. */
export type WatchdogRequest =
  | { readonly kind: 'hold'; readonly queueUrl: string; readonly receiptHandles: readonly string[] }
  | { readonly kind: 'letGo'; readonly id: number; readonly queueUrl: string; readonly receiptHandle: string }
  | { readonly kind: 'write'; readonly id: number; readonly afterMs: number; readonly write: TableWrite }
  /** Cancels the write with this id. */
  | { readonly kind: 'cancel'; readonly id: number };
