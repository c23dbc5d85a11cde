import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { synthesizeFaultyApp } from './faulty-app.ts';
import { runScenario } from './scenario.ts';

/** Always the same work and the same faults, so that a failure comes from a change. `npm run soak` tries other seeds. */
const SEED = Number(process.env['TENSORGATE_FAULT_SEED'] ?? 894273215);

/** One wave, which is settled, checked and forgotten. Half of its time goes into requests that end their worker. */
const ITEMS = 400;

const resources = new AsyncDisposableStack();
let assembly: string;
let directory: string;

beforeAll(async () => {
  assembly = await synthesizeFaultyApp();
  directory = await mkdtemp(join(tmpdir(), 'tensorgate-faults-'));
});

afterAll(async () => {
  // A scenario that hangs would otherwise continue while this process runs further tests.
  await resources.disposeAsync();
  await rm(assembly, { recursive: true, force: true });
  await rm(directory, { recursive: true, force: true });
});

describe('jobs', () => {
  it(`are neither lost nor doubled while workers are killed and services fail (TENSORGATE_FAULT_SEED=${SEED})`, async () => {
    const { problems, facts } = await runScenario({ assembly, directory, seed: SEED, items: ITEMS, resources });
    process.stdout.write(`seed ${SEED}: ${JSON.stringify(facts)}\n`);
    expect(problems).toEqual([]);
    // A run without faults would prove nothing.
    for (const fault of ['kill', 'stall', 'fail', 'throttle', 'partial', 'repeat', 'outage', 'inputs', 'deleted'])
      expect(facts[fault]).toBeGreaterThan(0);
  }, 300_000);
});
