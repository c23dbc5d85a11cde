import { relative } from 'node:path';
import { type Assembly, synthesize } from './assembly.ts';
import { measureAuthorizer } from './authorizer.ts';
import { measureBatching } from './batching.ts';
import { measureColdStarts } from './cold-start.ts';
import { measureFairness } from './fairness.ts';
import { measureJobs } from './jobs.ts';
import { localContender } from './local-contender.ts';
import { describeCommit, describeMachine } from './machine.ts';
import { type BenchOptions, type Part, readOptions } from './options.ts';
import { measureOverhead } from './overhead.ts';
import { measurePackage } from './package-sizes.ts';
import { preparePeers } from './peers/contenders.ts';
import { REPOSITORY } from './repository.ts';
import { resultTables } from './result-tables.ts';
import { type BenchResults, writeResults } from './results.ts';
import { renderTable } from './table.ts';
import { measureTensors } from './tensors.ts';
import { measureThroughput } from './throughput.ts';

/** Of each variant: eleven give a median that one slow start does not move. */
const COLD_STARTS = 11;
const QUICK_COLD_STARTS = 3;

const LOAD_SECONDS = 5;
const QUICK_LOAD_SECONDS = 1;

type Measured = Omit<BenchResults, 'format' | 'finishedAt' | 'commit' | 'machine' | 'rounds' | 'quick'>;

process.env['ORT_DISABLE_TELEMETRY'] = '1';
// A plain exit, so that what hangs on it ends the children.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

async function bench(options: BenchOptions): Promise<void> {
  const machine = describeMachine();
  say(
    `${machine.cpu}, ${machine.cores} cores, ${machine.platform}, Node ${machine.node}, onnxruntime ${machine.onnxruntime}`,
  );
  if (machine.loadAtStart > 0.3) say(`the machine is busy (load ${machine.loadAtStart}): expect rough figures`);
  const assembly = await synthesize();
  let measured: Measured = {};
  for (const part of options.parts) {
    say(`measuring ${part}`);
    measured = { ...measured, ...(await MEASURE[part](assembly, options)) };
  }
  const results: BenchResults = {
    format: 1,
    finishedAt: new Date().toISOString(),
    commit: describeCommit(),
    machine,
    rounds: options.rounds,
    quick: options.quick,
    ...measured,
  };
  for (const table of resultTables(results)) process.stdout.write(`\n${renderTable(table)}\n`);
  for (const { name, reason } of results.skipped ?? []) say(`skipped ${name}: ${reason}`);
  say(`written to ${relative(REPOSITORY, writeResults(results, options.latest))}`);
}

const MEASURE: Readonly<Record<Part, (assembly: Assembly, options: BenchOptions) => Promise<Measured>>> = {
  sizes: async ({ plan }) => ({ sizes: measurePackage(plan.taskRoot) }),
  overhead: async ({ plan }, { rounds, quick }) => ({
    overhead: await measureOverhead({ modelFolder: `${plan.taskRoot}/model`, rounds, quick }),
  }),
  cold: async ({ plan }, { quick }) => ({
    cold: await measureColdStarts(plan, quick ? QUICK_COLD_STARTS : COLD_STARTS),
  }),
  authorizer: async ({ plan }, { quick }) => ({ authorizer: await measureAuthorizer(plan, quick) }),
  load: async (assembly, { rounds, quick }) => {
    const { contenders, skipped } = preparePeers();
    const ours = [
      localContender('tensorgate, local mode', assembly, { 'cache-control': 'no-store' }),
      localContender('tensorgate, all cached', assembly, {}),
    ];
    const seconds = quick ? QUICK_LOAD_SECONDS : LOAD_SECONDS;
    return { load: await measureThroughput([...ours, ...contenders], { rounds, seconds }), skipped };
  },
  batching: async ({ plan }, { rounds, quick }) => ({
    batching: await measureBatching({ modelFolder: `${plan.taskRoot}/model`, rounds, quick }),
  }),
  tensors: async (_, options) => ({ tensors: await measureTensors(options) }),
  jobs: async (assembly, options) => ({ jobs: await measureJobs(assembly, options) }),
  fairness: async (assembly, { quick }) => ({ fairness: await measureFairness(assembly, quick) }),
};

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

await bench(readOptions(process.argv));
