import { Command, InvalidArgumentError } from 'commander';

/** Parts of the bench, in the order in which they run. */
export const PARTS = [
  'sizes',
  'overhead',
  'cold',
  'authorizer',
  'load',
  'batching',
  'tensors',
  'jobs',
  'fairness',
] as const;

/** A part of the bench. */
export type Part = (typeof PARTS)[number];

/** The parts to measure, and the number of rounds. */
export interface BenchOptions {
  readonly parts: readonly Part[];
  readonly rounds: number;
  /** Shorter measurements, to see that all works; the figures are rough. */
  readonly quick: boolean;
  /** Whether the results also become `bench/results/latest.json`. */
  readonly latest: boolean;
}

const DEFAULT_ROUNDS = 3;

/** Reads the arguments of `npm run bench`; wrong ones end the process with a message. */
export function readOptions(argv: readonly string[]): BenchOptions {
  const command = new Command('npm run bench --')
    .description('Measure this product against raw onnxruntime and against its peers, on this machine.')
    .option('--only <parts>', `parts to run, separated by commas: ${PARTS.join(', ')}`, readParts, PARTS)
    .option('--rounds <number>', 'interleaved rounds of each measurement', readRounds, DEFAULT_ROUNDS)
    .option('--quick', 'shorter measurements and one round: to see that all works', false)
    .option('--latest', 'also write bench/results/latest.json', false)
    .parse(argv);
  const { only, rounds, quick, latest } = command.opts<{
    readonly only: readonly Part[];
    readonly rounds: number;
    readonly quick: boolean;
    readonly latest: boolean;
  }>();
  return { parts: only, rounds: quick ? 1 : rounds, quick, latest };
}

function readParts(text: string): readonly Part[] {
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !PARTS.some((part) => part === name));
  if (unknown !== undefined) {
    throw new InvalidArgumentError(`there is no part ${JSON.stringify(unknown)}; there are ${PARTS.join(', ')}`);
  }
  return PARTS.filter((part) => names.includes(part));
}

function readRounds(text: string): number {
  const rounds = Number(text);
  if (Number.isInteger(rounds) && rounds >= 1 && rounds <= 100) return rounds;
  throw new InvalidArgumentError(`must be a whole number from 1 to 100, got ${JSON.stringify(text)}`);
}
