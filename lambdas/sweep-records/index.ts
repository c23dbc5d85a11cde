import { SWEEP_RECORDS } from '../../core/functions/functions.ts';
import { readSettings } from '../../core/functions/settings.ts';
import { openDeps } from './deps.ts';
import { createHandler } from './handler.ts';

// Runs once for each environment, in the init phase.
const deps = openDeps(readSettings(process.env, SWEEP_RECORDS.settings));

/** Settles jobs and batches that nothing else will settle: the entry that AWS Lambda calls. */
export const handler = createHandler(deps);
