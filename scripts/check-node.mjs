// Plain JavaScript that any Node runs: an older one could not even read the TypeScript that would complain.
const [major] = process.versions.node.split('.').map(Number);
if (major < 24) {
  process.stderr.write(
    `LOCAL_START: Node 24 or later is needed, this is ${process.versions.node}; run npm ci, which brings it for Linux and Windows, or install Node 24\n`,
  );
  process.exit(1);
}
