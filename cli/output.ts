import { Option } from 'commander';

/** Returns the option `--json`, which every command that computes something has. */
export function jsonOption(): Option {
  return new Option('--json', 'print JSON: the result, or {"error": {"code", "message"}}');
}

/**
 * Prints the result of a command on stdout.
 *
 * @param options - With `json`, the result is printed as one JSON document, else as text for a person.
 * @param render - Writes the text; it ends with a line break.
 */
export function printResult<T>(
  result: T,
  { json }: { readonly json?: boolean | undefined },
  render: (result: T) => string,
): void {
  process.stdout.write(json === true ? `${JSON.stringify(result, undefined, 2)}\n` : render(result));
}

/**
 * Writes the examples below the help of a command.
 *
 * @param lines - Commands without `npx`, each of which works when pasted.
 */
export function examples(lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  npx ${line}\n`).join('')}`;
}
