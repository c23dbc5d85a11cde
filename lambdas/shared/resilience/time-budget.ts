/** What is thrown when a {@link withinBudget} runs out. */
export class TimeoutError extends Error {
  constructor(budgetMs: number) {
    super(`no answer within ${budgetMs} ms`);
    this.name = 'TimeoutError';
  }
}

/**
 * Gives work a time budget: when it runs out the work is aborted and the caller goes on, even if the work does not heed
 * the signal.
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
