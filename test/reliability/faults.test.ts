import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { synthesizeFaultyApp } from './faulty-app.ts';
import { runScenario } from './scenario.ts';
import { CI_ITEMS, CI_SEED } from './work.ts';

/**
 * CI does the same work with the same faults each time, so that it fails because of a change. Other seeds are for `npm run soak`,
 * and `TENSORGATE_FAULT_SEED` repeats one of them here.
 */
const SEED = Number(process.env['TENSORGATE_FAULT_SEED'] ?? CI_SEED);

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
    const { problems, facts } = await runScenario({ assembly, directory, seed: SEED, items: CI_ITEMS, resources });
    process.stdout.write(`seed ${SEED}: ${JSON.stringify(facts)}\n`);
    expect(problems).toEqual([]);
    // A run without faults would prove nothing.
    for (const fault of [
      'kill',
      'stall',
      'fail',
      'throttle',
      'partial',
      'hang',
      'repeat',
      'outage',
      'inputs',
      'deleted',
    ])
      expect(facts[fault]).toBeGreaterThan(0);
  }, 300_000);
});
