import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { synthesizeApp } from '../app/running-app.ts';
import { OutageLab } from './outage.ts';
import { SERVICES, type ServiceName } from './services.ts';

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const DURATIONS = { '20 s': 20 * SECOND_MS, '90 s': 90 * SECOND_MS, '30 min': 30 * MINUTE_MS, '6 h': 360 * MINUTE_MS };

/** Local time after the end of an outage within which all work must be settled. */
const SETTLED_WITHIN_SECONDS = 600;

type Case = readonly [service: ServiceName, length: keyof typeof DURATIONS];

const CASES = (Object.keys(SERVICES) as ServiceName[]).flatMap((service) =>
  (Object.keys(DURATIONS) as (keyof typeof DURATIONS)[]).map((length): Case => [service, length]),
);

let assembly: string;
let directory: string;
let lab: OutageLab;

beforeAll(async () => {
  assembly = await synthesizeApp();
  directory = await mkdtemp(join(tmpdir(), 'tensorgate-outages-'));
  lab = await OutageLab.start({ assembly, directory });
}, 120_000);

afterAll(async () => {
  await lab?.[Symbol.asyncDispose]();
  await rm(assembly, { recursive: true, force: true });
  await rm(directory, { recursive: true, force: true });
});

async function expectSettled(service: ServiceName, length: keyof typeof DURATIONS): Promise<void> {
  const { settledAfterSeconds, ...report } = await lab.run(service, DURATIONS[length]);
  process.stdout.write(`${service} away for ${length}: settled after ${settledAfterSeconds} s\n`);
  expect(report).toEqual({ stranded: [], failed: [], problems: [] });
  expect(settledAfterSeconds).toBeLessThanOrEqual(SETTLED_WITHIN_SECONDS);
}

describe('work that was accepted before an outage', () => {
  it.each(CASES)(
    'is settled within ten minutes after %s was away for %s, and none of it fails',
    expectSettled,
    240_000,
  );
});
