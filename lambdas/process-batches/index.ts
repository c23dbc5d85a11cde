import { PROCESS_BATCHES } from '../../core/functions/functions.ts';
import { readSettings } from '../../core/functions/settings.ts';
import { readPackagedSettings } from '../shared/packaged-settings.ts';
import { openDeps } from './deps.ts';
import { createHandler } from './handler.ts';

// Runs once for each environment, in the init phase.
const deps = openDeps(readSettings(process.env, PROCESS_BATCHES.settings, readPackagedSettings(import.meta.dirname)));

/** Splits and merges batches: the entry that AWS Lambda calls. */
export const handler = createHandler(deps);
