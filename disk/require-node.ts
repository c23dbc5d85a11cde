// Imported before everything else, so that an earlier Node stops with this message instead of an error about syntax.
const OLDEST_NODE = 24;

if (Number(process.versions.node.split('.')[0]) < OLDEST_NODE) {
  throw new Error(
    `tensorgate needs Node ${OLDEST_NODE} or later, this is ${process.versions.node}: install Node ${OLDEST_NODE}`,
  );
}
