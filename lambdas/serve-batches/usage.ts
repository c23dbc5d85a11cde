import { AppError } from '../../core/errors.ts';
import { budgetExceeded, type Charge, renderUsage } from '../../core/usage/usage.ts';
import { type HttpResult, jsonResult } from '../shared/http/http-response.ts';
import type { Call } from './call.ts';

/** Serves `GET /v1/usage`: the budgets of the caller's plan, and the usage of its tenant. */
export async function showUsage({ owner, plan, budgets, usage }: Call): Promise<HttpResult> {
  return jsonResult(renderUsage(plan, await usage.recount(owner), budgets), {
    headers: { 'cache-control': 'no-store' },
  });
}

/**
 * Makes a write that is counted. If a budget refuses it, what is there is counted again, because the usage does not know
 * yet what was deleted or has ended since.
 *
 * @throws AppError `BUDGET_EXCEEDED`, which names the budget, how much is left and when it frees.
 */
export async function withinBudgets<T>(
  { owner, budgets, usage }: Call,
  charge: Charge,
  write: () => Promise<T>,
): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (!isRefusal(error)) throw error;
  }
  const counted = await usage.recount(owner);
  try {
    return await write();
  } catch (error) {
    throw isRefusal(error) ? budgetExceeded(counted, charge, budgets) : error;
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof AppError && error.code === 'BUDGET_EXCEEDED';
}
