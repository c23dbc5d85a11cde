import { AppError } from '../errors.ts';
import { BUDGET_NAMES, type BudgetName, type Budgets } from '../identity/budgets.ts';

/** The current usage of a tenant. */
export interface Usage {
  readonly storedBytes: number;
  readonly files: number;
  /** Ids of batches that were open when they were last looked at. */
  readonly openBatches: readonly string[];
  /** Ids of uploads that were under way when they were last looked at. */
  readonly openUploads: readonly string[];
}

/** The usage that a new record adds. */
export interface Charge {
  readonly storedBytes?: number;
  readonly files?: number;
  /** The id of a batch or an upload that is open from now on. */
  readonly opens?: { readonly kind: 'openBatches' | 'openUploads'; readonly id: string };
}

/**
 * Usage of tenants. A store counts a record in the transaction that creates it. Nothing is subtracted when a record
 * ends or is deleted: {@link recount} counts the rest, so that no crash, no duplicate and no other function can make the
 * counters wrong for good.
 */
export interface UsageStore {
  read(owner: string): Promise<Usage>;
  /**
   * Counts again: batches and uploads that have ended always, files at most once a minute.
   *
   * @returns The usage as it is now.
   */
  recount(owner: string): Promise<Usage>;
}

/** Numbers of a usage by budget; the other budgets bound one record. */
export function usedOf({ storedBytes, files, openBatches, openUploads }: Usage) {
  return { storedBytes, files, openBatches: openBatches.length, openUploads: openUploads.length } as const;
}

/** When each budget frees, for messages. */
const FREES: Readonly<Record<keyof ReturnType<typeof usedOf>, string>> = {
  storedBytes: 'delete files, or wait until they expire',
  files: 'delete files, or wait until they expire',
  openBatches: 'wait until a batch ends, or cancel one',
  openUploads: 'complete or cancel an upload, or wait an hour until it expires',
};

/**
 * Creates the error for a record that exceeds a budget. It names the budget, how much is left, and when it frees.
 *
 * @param usage - The usage that was found after the record was refused.
 */
export function budgetExceeded(
  usage: Usage,
  { storedBytes = 0, files = 0, opens }: Charge,
  budgets: Budgets,
): AppError {
  const used = usedOf(usage);
  const requested = {
    storedBytes,
    files,
    openBatches: opens?.kind === 'openBatches' ? 1 : 0,
    openUploads: opens?.kind === 'openUploads' ? 1 : 0,
  };
  const names = Object.keys(FREES) as (keyof typeof FREES)[];
  // If the usage has fallen since, no budget is exceeded any more. Storage is the most likely reason.
  const name = names.find((one) => requested[one] > 0 && used[one] + requested[one] > budgets[one]) ?? 'storedBytes';
  const left = Math.max(0, budgets[name] - used[name]);
  return new AppError(
    'BUDGET_EXCEEDED',
    `the plan allows ${budgets[name]} for ${name}, ${left} are left: ${FREES[name]}; GET /v1/usage shows all budgets`,
    { param: name },
  );
}

/** Writes budgets and usage as callers see them. Numbers of requests and tokens have room beside `budgets`. */
export function renderUsage(plan: string | undefined, usage: Usage, budgets: Budgets): string {
  const used: Partial<Record<BudgetName, number>> = usedOf(usage);
  const shown = BUDGET_NAMES.map((name) => {
    const limit = budgets[name];
    const now = used[name];
    return [snakeCase(name), now === undefined ? { limit } : { limit, used: now, left: Math.max(0, limit - now) }];
  });
  return JSON.stringify({ object: 'usage', plan: plan ?? null, budgets: Object.fromEntries(shown) });
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
