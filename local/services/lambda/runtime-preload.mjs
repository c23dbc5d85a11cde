// Loaded by `--import` before aws-lambda-ric. Plain JavaScript for the sake of the cold start, as runtime-client.cjs.
import { existsSync } from 'node:fs';
import { createRequire, registerHooks } from 'node:module';

const client = new URL('./runtime-client.cjs', import.meta.url).href;
const NATIVES = 'onnxruntime_binding.node';

/** Natives of this machine, when the asset carries those of the architecture it will be deployed to only. */
function workspaceNatives() {
  const entry = createRequire(import.meta.url).resolve('onnxruntime-node');
  return new URL(`../bin/napi-v6/${process.platform}/${process.arch}/${NATIVES}`, `file://${entry}`).pathname;
}

registerHooks({
  resolve(specifier, context, nextResolve) {
    if (specifier.endsWith('/rapid-client.node')) return { url: client, format: 'commonjs', shortCircuit: true };
    if (specifier.endsWith(`/${NATIVES}`) && !existsSync(new URL(specifier, context.parentURL))) {
      return nextResolve(workspaceNatives(), context);
    }
    return nextResolve(specifier, context);
  },
});
