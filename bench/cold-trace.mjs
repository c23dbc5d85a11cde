// Loaded by `--import` into a function that the bench starts: notes when what is slow begins and ends. Each mark is
// written immediately, because the process is killed in the end.
import fs, { appendFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const mark = (name) => {
  const atMs = performance.timeOrigin + performance.now();
  appendFileSync(process.env.BENCH_TRACE, `${JSON.stringify({ name, atMs })}\n`);
};

/** Marks the beginning and the end of a call. */
const marked = (name, call) => {
  mark(`${name}:begin`);
  try {
    return call();
  } finally {
    mark(`${name}:end`);
  }
};

mark('loaded');

const { readFileSync } = fs;
fs.readFileSync = (path, ...rest) => {
  if (String(path).endsWith('model.json')) mark('model.json');
  return readFileSync(path, ...rest);
};
syncBuiltinESMExports();

const { dlopen } = process;
process.dlopen = (module, ...rest) => {
  marked('dlopen', () => dlopen.call(process, module, ...rest));
  const { InferenceSession, initOrtOnce } = module.exports;
  // Methods of native classes cannot be replaced, but they can be overridden.
  module.exports.InferenceSession = class extends InferenceSession {
    loadModel(...args) {
      return marked('loadModel', () => super.loadModel(...args));
    }
  };
  module.exports.initOrtOnce = (...args) => marked('initOrt', () => initOrtOnce(...args));
};
