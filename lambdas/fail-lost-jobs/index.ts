import { readJobsSettings } from '../../core/functions/jobs-settings.ts';
import { openDeps, SETTINGS } from './deps.ts';
import { createHandler } from './handler.ts';

// Runs once for each environment, in the init phase.
const deps = openDeps(readJobsSettings(process.env, SETTINGS));

/** Ends jobs that no worker could end: the entry that AWS Lambda calls. */
export const handler = createHandler(deps);
