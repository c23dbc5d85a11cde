/** Returns the `code` that Node gives an error: `EADDRINUSE`; nothing when it has none. */
export function errorCode(error: unknown): string | undefined {
  const isObject = typeof error === 'object' && error !== null;
  return isObject && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
