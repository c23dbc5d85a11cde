import { join } from 'node:path';
import { readJobsSettings } from '../../core/functions/jobs-settings.ts';
import { openDeps, SETTINGS } from './deps.ts';
import { createHandler } from './handler.ts';

const { AWS_LAMBDA_FUNCTION_MEMORY_SIZE, TENSORGATE_RESULTS_TABLE, TENSORGATE_ENDPOINT } = process.env;

// Runs once for each environment, in the init phase.
const deps = await openDeps({
  modelFolder: join(import.meta.dirname, 'model'),
  settings: readJobsSettings(process.env, SETTINGS),
  resultsTable: TENSORGATE_RESULTS_TABLE,
  endpoint: TENSORGATE_ENDPOINT,
  memoryMiB: Number(AWS_LAMBDA_FUNCTION_MEMORY_SIZE ?? 1769),
});

/** Runs the jobs and chunks of one model: the entry that AWS Lambda calls. */
export const handler = createHandler(deps);
