/**
 * Opens something on first use and shares it from then on. A failed attempt is not cached: the next use retries.
 *
 * @param open - Opens it; concurrent uses wait for the same attempt.
 */
export function lazily<T>(open: () => Promise<T>): () => Promise<T> {
  let opening: Promise<T> | undefined;
  return () => {
    opening ??= open().catch((error: unknown) => {
      opening = undefined;
      throw error;
    });
    return opening;
  };
}
