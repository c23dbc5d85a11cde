/** Thrown when the time budget of {@link withinBudget} runs out. */
export class TimeoutError extends Error {
  constructor(budgetMs: number) {
    super(`no response within ${budgetMs} ms`);
    this.name = 'TimeoutError';
  }
}

/**
 * Runs work within a time budget. When the budget runs out, the signal is aborted and the returned promise rejects, even
 * if the work ignores the signal.
 *
 * @throws TimeoutError when the budget ran out.
 */
export async function withinBudget<T>(budgetMs: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const error = new TimeoutError(budgetMs);
      reject(error);
      controller.abort(error);
    }, budgetMs);
  });
  try {
    return await Promise.race([work(controller.signal), timeout]);
  } finally {
    clearTimeout(timer);
  }
}
