import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { synthesizeApp } from '../app/running-app.ts';
import { runScenario } from './scenario.ts';

/**
 * `npm run soak -- [--seeds 10] [--seed 1] [--items 20000]`: the scenario of faults, longer and with many seeds.
 *
 * It ends with code 1 when a run found a problem; `--seed` replays that run.
 */
const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '10' },
    seed: { type: 'string' },
    items: { type: 'string', default: '20000' },
  },
});

const items = Number(values.items);
const seeds =
  values.seed === undefined
    ? Array.from({ length: Number(values.seeds) }, () => Math.floor(Math.random() * 2 ** 31))
    : [Number(values.seed)];

const assembly = await synthesizeApp();
let bad = 0;
for (const seed of seeds) {
  const directory = await mkdtemp(join(tmpdir(), 'tensorgate-soak-'));
  const startedMs = performance.now();
  const { problems, facts } = await runScenario({ assembly, directory, seed, items });
  const seconds = Math.round((performance.now() - startedMs) / 1000);
  console.log(`seed ${seed}, ${seconds} s: ${JSON.stringify(facts)}`);
  for (const problem of problems) console.log(`  ${problem}`);
  if (problems.length > 0) bad += 1;
  await rm(directory, { recursive: true, force: true });
}
await rm(assembly, { recursive: true, force: true });
console.log(`${seeds.length - bad} of ${seeds.length} runs without a problem`);
process.exitCode = bad === 0 ? 0 : 1;
