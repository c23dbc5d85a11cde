import { join } from 'node:path';
import { RUN_JOBS } from '../../core/functions/functions.ts';
import { readSettings } from '../../core/functions/settings.ts';
import { openDeps } from './deps.ts';
import { createHandler } from './handler.ts';

const { AWS_LAMBDA_FUNCTION_MEMORY_SIZE } = process.env;

// Runs once for each environment, in the init phase.
const deps = await openDeps({
  modelFolder: join(import.meta.dirname, 'model'),
  settings: readSettings(process.env, RUN_JOBS.settings),
  memoryMiB: Number(AWS_LAMBDA_FUNCTION_MEMORY_SIZE ?? 1769),
  watchdogFile: join(import.meta.dirname, 'watchdog-thread.mjs'),
});

/** Runs the jobs and chunks of one model: the entry that AWS Lambda calls. */
export const handler = createHandler(deps);
