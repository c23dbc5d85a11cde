import { join } from 'node:path';
import { SERVE_MODEL_SETTINGS } from '../../core/functions/functions.ts';
import { readSettings } from '../../core/functions/settings.ts';
import { readPackagedSettings } from '../shared/packaged-settings.ts';
import { openDeps } from './deps.ts';
import { createHandler } from './handler.ts';

const { AWS_LAMBDA_FUNCTION_MEMORY_SIZE } = process.env;

// Runs once for each environment, in the init phase: before the first request, and outside of its timeout.
const deps = await openDeps({
  modelFolder: join(import.meta.dirname, 'model'),
  environment: readSettings(process.env, SERVE_MODEL_SETTINGS, readPackagedSettings(import.meta.dirname)),
  variables: process.env,
  memoryMiB: Number(AWS_LAMBDA_FUNCTION_MEMORY_SIZE ?? 1769),
});

/** Serves one model: the entry that AWS Lambda calls. */
export const handler = createHandler(deps);
