import { closeSync, fstatSync, mkdirSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Crash } from './invocation.ts';

/** Content of a REPORT line. */
export interface InvocationReport {
  readonly requestId: string;
  readonly durationMs: number;
  readonly memoryMiB: number;
  readonly peakMemoryBytes: number;
  /** Duration of the init phase, where the invocation was a cold start. */
  readonly initMs: number | undefined;
  /** How the environment was lost: the value of `Status`. */
  readonly status?: Crash | undefined;
}

/** Maximum number of bytes that are searched for records in one go. */
const MAX_READ_BYTES = 1_048_576;

const LINE_BREAK = 0x0a;

/** The log file of one function: the output of its environments, between START and REPORT lines as Lambda writes them. */
export class FunctionLog {
  /** Path of the file. */
  readonly file: string;
  /** Descriptor opened for appending: environments print to it directly. */
  readonly descriptor: number;
  /** Position up to which {@link takeRecords} has read. */
  #read: number;

  /** @param name - Name of the file, without its extension. */
  constructor(directory: string, name: string) {
    mkdirSync(directory, { recursive: true });
    this.file = join(directory, `${name}.log`);
    this.descriptor = openSync(this.file, 'a+');
    this.#read = fstatSync(this.descriptor).size;
  }

  /**
   * Returns the complete lines of JSON objects that were written since the last call. Of a large amount of output, only the
   * end is read.
   */
  takeRecords(): readonly Readonly<Record<string, unknown>>[] {
    const end = fstatSync(this.descriptor).size;
    const start = Math.max(this.#read, end - MAX_READ_BYTES);
    const bytes = Buffer.alloc(end - start);
    const length = readSync(this.descriptor, bytes, 0, bytes.length, start);
    const complete = bytes.subarray(0, length).lastIndexOf(LINE_BREAK) + 1;
    this.#read = start + complete;
    const lines = bytes.toString('utf8', 0, complete).split('\n');
    return lines.map(parseRecord).filter((record) => record !== undefined);
  }

  /** Writes that an invocation starts. */
  start(requestId: string, version: string): void {
    this.write(`START RequestId: ${requestId} Version: ${version}`);
  }

  /** Writes how an invocation ended. */
  report(report: InvocationReport): void {
    const fields = [
      `REPORT RequestId: ${report.requestId}`,
      `Duration: ${report.durationMs.toFixed(2)} ms`,
      `Billed Duration: ${Math.ceil(report.durationMs + (report.initMs ?? 0))} ms`,
      `Memory Size: ${report.memoryMiB} MB`,
      `Max Memory Used: ${Math.ceil(report.peakMemoryBytes / 1_048_576)} MB`,
      ...(report.initMs === undefined ? [] : [`Init Duration: ${report.initMs.toFixed(2)} ms`]),
      ...(report.status === undefined ? [] : [`Status: ${report.status}`]),
    ];
    this.write(`END RequestId: ${report.requestId}\n${fields.join('\t')}`);
  }

  /** Appends a line. */
  write(line: string): void {
    writeSync(this.descriptor, `${line}\n`);
  }

  /** Closes the file. */
  close(): void {
    closeSync(this.descriptor);
  }
}

function parseRecord(line: string): Readonly<Record<string, unknown>> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line) as Readonly<Record<string, unknown>>;
  } catch {
    return undefined; // Output that only looks like JSON.
  }
}
