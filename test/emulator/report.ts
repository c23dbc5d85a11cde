/** Outcome of a check. */
type Verdict = 'passes' | 'differs' | 'FAILS';

/** A difference between the emulator and AWS. */
export interface Difference {
  /** Behavior of the emulator. */
  readonly emulator: string;
  /** Behavior of AWS, and how we know it. */
  readonly aws: string;
}

/** A check that fails because the emulator differs from AWS. */
export interface KnownDifference extends Difference {
  /** Name of the check. */
  readonly check: string;
  /** Pattern of its message. With any other message the check fails. */
  readonly message: RegExp;
}

/** Runs checks and prints a row for each. */
export class Report {
  readonly #differences: readonly KnownDifference[];
  readonly #corrected: readonly Difference[];
  readonly #counts: Record<Verdict, number> = { passes: 0, differs: 0, FAILS: 0 };
  readonly #names = new Set<string>();

  /**
   * @param differences - Checks that are expected to fail, with the reasons.
   * @param corrected - Differences that the checks do not see, because they are corrected.
   */
  constructor(differences: readonly KnownDifference[], corrected: readonly Difference[]) {
    this.#differences = differences;
    this.#corrected = corrected;
    console.log('| check | verdict | seconds | note |\n| --- | --- | --- | --- |');
  }

  /** Number of checks that failed for no known reason, or passed although they are listed as known to fail. */
  get failures(): number {
    return this.#counts.FAILS;
  }

  /**
   * Runs a check.
   *
   * @returns The value of `run`. Undefined if it has none, or if the check did not pass.
   */
  async check<T>(name: string, run: () => Promise<T>): Promise<T | undefined> {
    this.#names.add(name);
    const start = Date.now();
    let result: T | undefined;
    let problem: string | undefined;
    try {
      result = await run();
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error);
    }
    const difference = this.#differences.find(({ check }) => check === name);
    const verdict = judge(problem, difference);
    this.#counts[verdict] += 1;
    const note = noteOf(verdict, problem, difference);
    console.log(`| ${name} | ${verdict} | ${((Date.now() - start) / 1000).toFixed(1)} | ${note} |`);
    return result;
  }

  /** Prints the known differences and the sums. */
  close(): void {
    console.log('\n| the emulator | AWS |\n| --- | --- |');
    for (const { emulator, aws } of this.#differences) console.log(`| ${emulator} | ${aws} |`);
    for (const { emulator, aws } of this.#corrected) console.log(`| ${emulator} (corrected here) | ${aws} |`);
    for (const name of this.#differences.map(({ check }) => check).filter((check) => !this.#names.has(check))) {
      console.log(`\nNo check is named "${name}": remove it from the known differences.`);
      this.#counts.FAILS += 1;
    }
    const { passes, differs, FAILS } = this.#counts;
    console.log(`\n${passes} checks pass, ${differs} fail because the emulator differs from AWS, ${FAILS} fail`);
  }
}

function judge(problem: string | undefined, difference: KnownDifference | undefined): Verdict {
  if (problem === undefined) return difference === undefined ? 'passes' : 'FAILS';
  return difference?.message.test(problem) === true ? 'differs' : 'FAILS';
}

/** The cell holds one line: the last 300 characters of a problem, where tools state their reason. */
function noteOf(verdict: Verdict, problem: string | undefined, difference: KnownDifference | undefined): string {
  if (verdict === 'differs') return difference?.emulator ?? '';
  if (verdict === 'FAILS' && problem === undefined)
    return 'the emulator no longer differs: update the known differences';
  return (problem ?? '').replace(/\s+/g, ' ').replaceAll('|', '¦').slice(-300);
}
