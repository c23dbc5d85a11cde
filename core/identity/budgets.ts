/** Limits on the storage and the running work of one tenant. Every plan has a value for each of them. */
export interface Budgets {
  /** Bytes of files and of uploads under way, outputs of batches included. */
  readonly storedBytes: number;
  /** Number of files. */
  readonly files: number;
  /** Bytes of one file. */
  readonly fileBytes: number;
  /** Registered webhooks: each of them is called for every job. */
  readonly webhooks: number;
  /** Uploads in parts that are under way. */
  readonly openUploads: number;
  /** Batches that have not ended. */
  readonly openBatches: number;
  /** Requests of one batch. */
  readonly batchRequests: number;
  /** Bytes that the output files of one batch may have. */
  readonly batchOutputBytes: number;
}

/** Name of a budget. */
export type BudgetName = keyof Budgets;

const GIB = 1024 ** 3;

/** Budgets of a plan that names none. */
export const DEFAULT_BUDGETS: Budgets = {
  storedBytes: 100 * GIB,
  files: 10_000,
  fileBytes: 5 * GIB,
  webhooks: 20,
  openUploads: 100,
  openBatches: 100,
  batchRequests: 1_000_000,
  batchOutputBytes: 20 * GIB,
};

/** Names of all budgets. */
export const BUDGET_NAMES = Object.keys(DEFAULT_BUDGETS) as readonly BudgetName[];
