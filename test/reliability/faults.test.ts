import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { synthesizeFaultyApp } from './faulty-app.ts';
import { runScenario } from './scenario.ts';

/** The seed that an earlier run printed plans the same work and the same faults again. */
const SEED = Number(process.env['TENSORGATE_FAULT_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

/** One wave, which is settled, checked and forgotten. Half of its time goes into requests that end their worker. */
const ITEMS = 400;

let assembly: string;
let directory: string;

beforeAll(async () => {
  assembly = await synthesizeFaultyApp();
  directory = await mkdtemp(join(tmpdir(), 'tensorgate-faults-'));
});

afterAll(async () => {
  await rm(assembly, { recursive: true, force: true });
  await rm(directory, { recursive: true, force: true });
});

describe('jobs', () => {
  it(`are neither lost nor doubled while workers are killed and services fail (TENSORGATE_FAULT_SEED=${SEED})`, async () => {
    const { problems, facts } = await runScenario({ assembly, directory, seed: SEED, items: ITEMS });
    process.stdout.write(`seed ${SEED}: ${JSON.stringify(facts)}\n`);
    expect(problems).toEqual([]);
    // A run without faults would prove nothing.
    for (const fault of ['kill', 'stall', 'fail', 'throttle', 'partial', 'repeat', 'outage', 'inputs', 'deleted'])
      expect(facts[fault]).toBeGreaterThan(0);
  }, 300_000);
});
