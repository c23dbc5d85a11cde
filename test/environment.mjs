import { TestEnvironment } from 'jest-environment-node';

const TYPED_ARRAYS = [
  'Int8Array',
  'Uint8Array',
  'Int16Array',
  'Uint16Array',
  'Int32Array',
  'Uint32Array',
  'Float32Array',
  'Float64Array',
  'BigInt64Array',
  'BigUint64Array',
  'ArrayBuffer',
];

/**
 * Node's own environment, sharing its typed arrays with the tests: native code accepts no others (onnxruntime-node).
 * Commands print without colours, whatever `CI` or `FORCE_COLOR` say. The CDK's own validation is off, because each synthesis
 * would start its engine for a second and hundreds of megabytes: `test/lib/aws-solutions.test.ts` turns it on.
 */
export default class extends TestEnvironment {
  async setup() {
    await super.setup();
    for (const name of TYPED_ARRAYS) this.global[name] = globalThis[name];
    this.global.process.env.ORT_DISABLE_TELEMETRY = '1';
    this.global.process.env.NO_COLOR = '1';
    this.global.process.env.CDK_VALIDATION = 'false';
    delete this.global.process.env.FORCE_COLOR;
  }
}
