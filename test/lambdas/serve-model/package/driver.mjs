// Plays the runtime of AWS Lambda: loads a function's package and answers each event that the test sends.
import { pathToFileURL } from 'node:url';

const { handler, ...others } = await import(pathToFileURL(`${process.argv[2]}/index.mjs`).href);
process.send({ ready: true, exports: ['handler', ...Object.keys(others)] });
process.on('message', async ({ id, event, context }) => {
  const answer = await handler(event, { ...context, getRemainingTimeInMillis: () => 29_000 });
  process.send({ id, answer });
});
