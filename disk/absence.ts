/** Says why a file could not be read, after its path: `does not exist`, `cannot be read: EACCES`. */
export function absence(cause: unknown): string {
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : undefined;
  return code === 'ENOENT' ? 'does not exist' : `cannot be read: ${String(code ?? cause)}`;
}
