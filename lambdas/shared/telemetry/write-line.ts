/** Writes one line to the function's log. */
export function writeLine(line: string): void {
  process.stdout.write(`${line}\n`);
}
