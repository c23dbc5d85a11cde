import { openDeps } from './deps.ts';
import { createHandler } from './handler.ts';

/** Hashes API keys: the entry that AWS CloudFormation calls. */
export const handler = createHandler(openDeps(process.env));
