import { appendFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Writes events that go to log groups into files: `<folder>/<log group>.log`, one line for each event. */
export class EventLog {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /**
   * Appends a line.
   *
   * @param logGroup - Name or ARN of the log group; the slashes of the name become dashes.
   */
  async write(logGroup: string, line: string): Promise<void> {
    const name = (logGroup.split(':log-group:').at(-1) ?? logGroup).replace(/:\*$/, '');
    await mkdir(this.#directory, { recursive: true });
    await appendFile(join(this.#directory, `${name.replace(/^\//, '').replace(/[^\w.-]/g, '-')}.log`), `${line}\n`);
  }
}
