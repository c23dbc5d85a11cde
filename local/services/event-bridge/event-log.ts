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
   * @param logGroupArn - ARN of the log group; the slashes of its name become dashes.
   */
  async write(logGroupArn: string, line: string): Promise<void> {
    const name = (logGroupArn.split(':log-group:')[1] ?? 'events').replace(/:\*$/, '');
    await mkdir(this.#directory, { recursive: true });
    await appendFile(join(this.#directory, `${name.replace(/^\//, '').replace(/[^\w.-]/g, '-')}.log`), `${line}\n`);
  }
}
