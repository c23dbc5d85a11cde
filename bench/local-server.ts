import { parseArgs } from 'node:util';
import { startLocal } from '../local/start.ts';

/** Runs a synthesized app as `tensorgate start` does, less the log line of each request: the peers write none either. */
const { assembly = '', directory = '' } = parseArgs({
  options: { assembly: { type: 'string' }, directory: { type: 'string' } },
}).values;

const stack = await startLocal({ assembly, directory, port: 0 });
const stop = () => void stack.stop().then(() => process.exit());
process.once('SIGTERM', stop);
process.once('SIGINT', stop);

// The plans come tightest first: the last one does not throttle a load test.
const key = stack.description.apiKeys.at(-1)?.value ?? '';
process.stdout.write(`listening on ${stack.url} with key ${key}\n`);
