import { FAIL_LOST_JOBS } from '../../core/functions/functions.ts';
import { readSettings } from '../../core/functions/settings.ts';
import { openDeps } from './deps.ts';
import { createHandler } from './handler.ts';

// Runs once for each environment, in the init phase.
const deps = openDeps(readSettings(process.env, FAIL_LOST_JOBS.settings));

/** Ends jobs that no worker could end: the entry that AWS Lambda calls. */
export const handler = createHandler(deps);
