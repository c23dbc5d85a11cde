import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
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

/** The log file of one function: the output of its environments, between START and REPORT lines as Lambda writes them. */
export class FunctionLog {
  /** Path of the file. */
  readonly file: string;
  /** Descriptor opened for appending: environments print to it directly. */
  readonly descriptor: number;

  constructor(directory: string, functionName: string) {
    mkdirSync(directory, { recursive: true });
    this.file = join(directory, `${functionName}.log`);
    this.descriptor = openSync(this.file, 'a');
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
