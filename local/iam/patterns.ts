/**
 * Turns an IAM pattern (`*` for any text, `?` for any one character) into a test.
 *
 * @param ignoreCase - Actions compare without case, everything else with it.
 */
export function compilePattern(pattern: string, ignoreCase = false): (value: string) => boolean {
  if (pattern === '*') return () => true;
  if (!/[*?]/.test(pattern) && !ignoreCase) return (value) => value === pattern;
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '[\\s\\S]*')
    .replaceAll('?', '[\\s\\S]');
  const expression = new RegExp(`^${source}$`, ignoreCase ? 'i' : '');
  return (value) => expression.test(value);
}
