// Loaded by `--import` into a function that the bench starts: notes when what is slow begins and ends. Each mark is
// written at once, for the process is killed in the end.
import { appendFileSync, promises } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const mark = (name) => {
  const atMs = performance.timeOrigin + performance.now();
  appendFileSync(process.env.BENCH_TRACE, `${JSON.stringify({ name, atMs })}\n`);
};

/** Marks the beginning of each call of a method and, where it is wanted, the end. */
const watch = (object, method, name) => {
  const original = object[method];
  object[method] = function watched(...args) {
    mark(`${name}:begin`);
    try {
      return original.apply(this, args);
    } finally {
      mark(`${name}:end`);
    }
  };
};

mark('loaded');

const { readFile } = promises;
promises.readFile = (path, ...rest) => {
  if (String(path).endsWith('model.json')) mark('model.json');
  return readFile(path, ...rest);
};
syncBuiltinESMExports();

const { dlopen } = process;
process.dlopen = (module, ...rest) => {
  mark('dlopen:begin');
  dlopen.call(process, module, ...rest);
  mark('dlopen:end');
  const { InferenceSession, initOrtOnce } = module.exports;
  if (InferenceSession !== undefined) watch(InferenceSession.prototype, 'loadModel', 'loadModel');
  if (initOrtOnce !== undefined) watch(module.exports, 'initOrtOnce', 'initOrt');
};
