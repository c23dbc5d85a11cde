import { builtinModules } from 'node:module';
import type { Plugin } from 'esbuild';

const NAMESPACE = 'node-builtin';

/** Names of Node's own modules, with the prefix and without. */
const BUILTIN = new RegExp(`^(?:node:.+|${builtinModules.map((name) => name.replaceAll('/', '\\/')).join('|')})$`);

/**
 * Lets a bundle take Node's own modules by `process.getBuiltinModule`. `import` reads every export of a module, and some
 * load more code when they are read: `fs.promises`, `crypto.webcrypto`, and in `http` the client of fetch. A cold start
 * would pay 1 to 40 ms for each.
 */
export const builtinModulesPlugin: Plugin = {
  name: 'builtin-modules',
  setup: (build) => {
    build.onResolve({ filter: BUILTIN }, ({ path }) => ({ path, namespace: NAMESPACE }));
    build.onLoad({ filter: /.*/, namespace: NAMESPACE }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)});`,
      loader: 'js',
    }));
  },
};
