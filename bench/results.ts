import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AuthorizerResult } from './authorizer.ts';
import type { BatchingResult } from './batching.ts';
import type { ColdStartReport } from './cold-start.ts';
import type { Skipped } from './contender.ts';
import type { FairnessResult } from './fairness.ts';
import type { JobsLevel } from './jobs.ts';
import type { Machine } from './machine.ts';
import type { OverheadResult } from './overhead.ts';
import type { PackageSizes } from './package-sizes.ts';
import { RESULTS_DIRECTORY } from './repository.ts';
import type { TensorResult } from './tensors.ts';
import type { ThroughputResult } from './throughput.ts';

/** All that one run of the bench measured; parts that did not run are absent. */
export interface BenchResults {
  /** Grows when the meaning of a member changes. */
  readonly format: 1;
  /** When the run ended, in ISO 8601. */
  readonly finishedAt: string;
  readonly commit: string;
  readonly machine: Machine;
  readonly rounds: number;
  readonly quick: boolean;
  readonly sizes?: PackageSizes;
  readonly overhead?: readonly OverheadResult[];
  readonly cold?: ColdStartReport;
  readonly authorizer?: readonly AuthorizerResult[];
  readonly load?: readonly ThroughputResult[];
  readonly batching?: readonly BatchingResult[];
  readonly tensors?: readonly TensorResult[];
  readonly jobs?: readonly JobsLevel[];
  readonly fairness?: FairnessResult;
  /** Peers that could not run, and why. */
  readonly skipped?: readonly Skipped[];
}

/**
 * Writes results to `bench/results/<date>-<commit>.json`; those of a quick run to `quick.tmp.json`, which is not kept.
 *
 * @param latest - Whether to write them to `latest.json` as well.
 * @returns Path of the file.
 */
export function writeResults(results: BenchResults, latest: boolean, directory = RESULTS_DIRECTORY): string {
  mkdirSync(directory, { recursive: true });
  const text = `${JSON.stringify(results, roundedNumber, 2)}\n`;
  const name = `${results.finishedAt.slice(0, 10)}-${results.commit.replace('+', '-changed')}.json`;
  const file = join(directory, results.quick ? 'quick.tmp.json' : name);
  writeFileSync(file, text);
  if (latest) writeFileSync(join(directory, 'latest.json'), text);
  return file;
}

/** Six significant digits are more than any measurement has. */
function roundedNumber(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value;
}
