import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Tensor } from '../../../core/tensors/tensor.ts';
import { openDeps } from '../../../lambdas/serve-model/deps.ts';
import { createHandler } from '../../../lambdas/serve-model/handler.ts';
import { packModel } from '../../../onnx/pack/pack-model.ts';
import { lambdaContext } from '../../lambdas/events.ts';
import { type NodeTestCase, readNodeTestCases } from './node-test-cases.ts';
import { BINARY_FORM, type ClientForm, JSON_FORM, type NamedTensor } from './open-inference-client.ts';

const cases = readNodeTestCases();

let root: string;

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'tensorgate-backend-'));
});

afterAll(() => rmSync(root, { recursive: true }));

/** Packs the model of a case and opens the function that serves it. */
async function serve({ name, model }: NodeTestCase) {
  const folder = join(root, 'models/case');
  const packed = join(root, 'packed', name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'model.onnx'), model);
  const sha256 = createHash('sha256').update(model).digest('hex');
  const manifest = { id: 'case', task: 'tensor', versions: { '1': { weights: 'model.onnx', sha256 } } };
  writeFileSync(join(folder, 'model.yaml'), JSON.stringify({ ...manifest, cache: { store: 'none' } }));
  const { versions } = await packModel(folder, packed);
  const deps = await openDeps({
    modelFolder: packed,
    environment: { siblings: [], metricsNamespace: 'Tensorgate', metrics: 'off', stage: 'test' },
    variables: {},
    memoryMiB: 1769,
  });
  const lines: string[] = [];
  const handler = createHandler({ ...deps, write: (line) => lines.push(line) });
  return { inputs: versions['1']?.inputs ?? [], handler, lines };
}

type Served = Awaited<ReturnType<typeof serve>>;

async function ask({ inputs, handler, lines }: Served, given: readonly Tensor[], form: ClientForm) {
  const named = inputs.flatMap(({ name }, index) => {
    const tensor = given[index];
    return tensor === undefined ? [] : [{ ...tensor, name }];
  });
  const response = await handler(form.request('/v2/models/case/infer', named), lambdaContext());
  if (response.statusCode !== 200) throw new Error(`${response.body} ${lines.join('\n')}`);
  return form.outputs(response);
}

function requireClose(got: readonly NamedTensor[], { outputs, tolerance: { rtol, atol } }: NodeTestCase): void {
  expect(got.map(({ datatype, shape }) => [datatype, shape])).toEqual(
    outputs.map(({ datatype, shape }) => [datatype, shape]),
  );
  for (const [index, { datatype, data }] of outputs.entries()) {
    const result = valuesOf({ datatype, shape: [], data: got[index]?.data ?? [] });
    const far = valuesOf({ datatype, shape: [], data }).flatMap((expected, at) =>
      isClose(expected, result[at], { rtol, atol }) ? [] : [[at, expected, result[at]]],
    );
    expect(far).toEqual([]);
  }
}

function valuesOf({ datatype, data }: Tensor): readonly (number | bigint | string)[] {
  return datatype === 'FP16' ? [...new Float16Array((data as Uint16Array).slice().buffer)] : [...data];
}

function isClose(expected: unknown, got: unknown, { rtol, atol }: NodeTestCase['tolerance']): boolean {
  if (Object.is(expected, got) || expected === got) return true;
  return (
    typeof expected === 'number' &&
    typeof got === 'number' &&
    Math.abs(expected - got) <= atol + rtol * Math.abs(expected)
  );
}

it('every backend node test of onnx 1.23.2 is either run or left out for a reason', () => {
  expect(cases.length).toBeGreaterThan(1400);
  const leftOut = JSON.parse(readFileSync(join(import.meta.dirname, 'left-out.json'), 'utf8')) as Record<
    string,
    string[]
  >;
  const names = new Set([...cases.map(({ name }) => name), ...Object.values(leftOut).flat()]);
  expect(names.size).toBe(2024);
});

it.each(cases)(
  'a function that serves $name gives the outputs that onnx expects, as JSON and as bytes',
  async (single) => {
    const served = await serve(single);
    for (const form of [JSON_FORM, BINARY_FORM]) requireClose(await ask(served, single.inputs, form), single);
  },
);
