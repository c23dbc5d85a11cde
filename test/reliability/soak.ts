import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import { synthesizeFaultyApp } from './faulty-app.ts';
import { runScenario } from './scenario.ts';

/**
 * `npm run soak -- [--seeds 10] [--seed 1] [--items 20000] [--repeat]`: the scenario of faults, longer and with many seeds.
 *
 * It prints the facts after each wave of about 1250 items, and needs the memory of one wave whatever the number of items.
 * It ends with code 1 if a run found a problem; `--seed` repeats that run. With `--repeat` it runs each seed twice, and the
 * outcome of each job and batch of the first waves must be the same. Numbers of calls, faults and retries, and times, are not:
 * they depend on how fast workers are.
 */
const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '10' },
    seed: { type: 'string' },
    items: { type: 'string', default: '20000' },
    repeat: { type: 'boolean', default: false },
  },
});

const items = Number(values.items);
const seeds =
  values.seed === undefined
    ? Array.from({ length: Number(values.seeds) }, () => Math.floor(Math.random() * 2 ** 31))
    : [Number(values.seed)];

const assembly = await synthesizeFaultyApp();
let bad = 0;
for (const seed of seeds) {
  const outcomes = await run(seed);
  if (values.repeat && !isDeepStrictEqual(await run(seed), outcomes)) {
    console.log(`seed ${seed}: the second run has other outcomes`);
    bad += 1;
  }
}
await rm(assembly, { recursive: true, force: true });
console.log(`${seeds.length} seeds, ${bad} problems`);
process.exitCode = bad === 0 ? 0 : 1;

async function run(seed: number): Promise<ReadonlyMap<string, string>> {
  const directory = await mkdtemp(join(tmpdir(), 'tensorgate-soak-'));
  const startedMs = performance.now();
  const secondsSoFar = () => Math.round((performance.now() - startedMs) / 1000);
  const onWave = (facts: Readonly<Record<string, number>>) =>
    console.log(`seed ${seed}, ${secondsSoFar()} s: ${JSON.stringify(facts)}`);
  await using resources = new AsyncDisposableStack();
  resources.defer(() => rm(directory, { recursive: true, force: true }));
  const { problems, outcomes } = await runScenario({ assembly, directory, seed, items, resources, onWave });
  for (const problem of problems) console.log(`  ${problem}`);
  console.log(`seed ${seed}: ${problems.length} problems after ${secondsSoFar()} s`);
  bad += problems.length;
  return outcomes;
}
