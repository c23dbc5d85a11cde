import { AUTHORIZE } from '../../core/functions/functions.ts';
import { readSettings } from '../../core/functions/settings.ts';
import { createHandler } from './handler.ts';

/** Identifies the callers of the API: the entry that AWS Lambda calls. */
export const handler = createHandler(readSettings(process.env, AUTHORIZE.settings));
