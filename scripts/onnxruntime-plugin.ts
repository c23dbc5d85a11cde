import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { Plugin } from 'esbuild';

/** How onnxruntime-node names its native binding: by a path inside its own package. */
const OWN_PATH =
  /require\(`\.\.\/bin\/napi-v6\/\$\{process\.platform\}\/\$\{process\.arch\}\/onnxruntime_binding\.node`\)/;

/** Where a function's package holds it: beside the bundle. Joined at run time, so that esbuild does not look for it. */
const PACKAGE_PATH = "require(['./onnxruntime', process.platform, process.arch, 'onnxruntime_binding.node'].join('/'))";

/** The ES modules of onnxruntime-common are smaller in a bundle than its CommonJS. All importers get the same copy. */
function commonModules(): string {
  const ownRequire = createRequire(createRequire(import.meta.url).resolve('onnxruntime-node'));
  return ownRequire.resolve('onnxruntime-common').replace(/dist[\\/]cjs[\\/]index\.js$/, 'dist/esm/index.js');
}

/** Parts of onnxruntime-common for images and graphics memory in browsers: a twelfth of a cold start's JavaScript. */
const BROWSER_PARTS = /onnxruntime-common[\\/]dist[\\/]esm[\\/]tensor-(?:conversion|factory)-impl\.js$/;

/** Keeps the exports of a module, and replaces each with an error. */
function withoutBodies(source: string): string {
  const names = Array.from(source.matchAll(/^export const (\w+)/gm), ([, name]) => `absent as ${name}`);
  return `const absent = () => { throw new Error('left out of the bundle'); };\nexport { ${names.join(', ')} };`;
}

/**
 * Lets onnxruntime-node be bundled: its JavaScript goes into the bundle, its native binding is loaded from
 * `./onnxruntime/<platform>/<arch>/` beside the bundle.
 */
export const onnxruntimePlugin: Plugin = {
  name: 'onnxruntime-node',
  setup: (build) => {
    const common = commonModules();
    build.onResolve({ filter: /^onnxruntime-common$/ }, () => ({ path: common }));
    build.onLoad({ filter: /onnxruntime-node[\\/]dist[\\/]binding\.js$/ }, async ({ path }) => {
      const source = await readFile(path, 'utf8');
      if (!OWN_PATH.test(source)) {
        return { errors: [{ text: `${path} does not load its binding as it used to: this plugin must follow` }] };
      }
      return { contents: source.replace(OWN_PATH, PACKAGE_PATH), loader: 'js' };
    });
    build.onLoad({ filter: BROWSER_PARTS }, async ({ path }) => ({
      contents: withoutBodies(await readFile(path, 'utf8')),
      loader: 'js',
    }));
  },
};
