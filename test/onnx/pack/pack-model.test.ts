import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { extract, list } from 'tar';
import { parsePackedModel } from '../../../core/models/packed-model.ts';
import { openOnnxPredictor } from '../../../lambdas/shared/predictors/onnx-predictor.ts';
import { openTokenizer } from '../../../lambdas/shared/preprocessors/tokenizer.ts';
import { graphOf, makeNode } from '../../../onnx/format/graph.ts';
import { TensorProto_DataType as DataType, type ModelProto } from '../../../onnx/format/onnx-messages.ts';
import { encodeModel, readModel } from '../../../onnx/format/proto.ts';
import { bytesOf, readFloats } from '../../../onnx/format/tensor-proto.ts';
import { packModel } from '../../../onnx/pack/pack-model.ts';
import { openSession } from '../../../onnx/runtime/session.ts';
import { EXTERNAL_WEIGHT, externalModel, writeTorchExport } from '../external-model.ts';
import { floats, matrix, noise, smallModel, value } from '../small-models.ts';

/** Looks token ids up in a table: the smallest thing that is a text encoder. */
function encoder(idType: DataType = DataType.INT64): ModelProto {
  return smallModel({
    nodes: [makeNode('Gather', 'lookup', ['table', 'input_ids'], ['last_hidden_state'])],
    inputs: [value('input_ids', ['batch', 'sequence'], idType)],
    outputs: [value('last_hidden_state', ['batch', 'sequence', 4])],
    constants: [matrix('table', 10, 4)],
  });
}

/** Multiplies rows by a matrix, twice. */
function perceptron(): ModelProto {
  return smallModel({
    nodes: [
      makeNode('MatMul', 'first', ['x', 'w'], ['hidden']),
      makeNode('Relu', 'relu', ['hidden'], ['positive']),
      makeNode('MatMul', 'second', ['positive', 'v'], ['y']),
    ],
    inputs: [value('x', ['rows', 8])],
    outputs: [value('y', ['rows', 3])],
    constants: [matrix('w', 8, 16, 2), matrix('v', 16, 3, 3)],
  });
}

/** Multiplies rows of so many columns by a matrix. */
function product(columns: number): Uint8Array {
  return encodeModel(
    smallModel({
      nodes: [makeNode('MatMul', 'only', ['x', 'w'], ['y'])],
      inputs: [value('x', ['rows', columns])],
      outputs: [value('y', ['rows', 3])],
      constants: [matrix('w', columns, 3, 2)],
    }),
  );
}

let root: string;
let folder: string;
let out: string;

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'tensorgate-pack-'));
});

beforeEach(() => {
  rmSync(root, { recursive: true, force: true });
  folder = join(root, 'small');
  out = join(root, 'packed');
  mkdirSync(join(folder, '1'), { recursive: true });
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Writes a model folder, and parts of its manifest over the usual ones. */
function writeFolder(model: ModelProto | Uint8Array, manifest: Readonly<Record<string, string>> = {}): void {
  const bytes = model instanceof Uint8Array ? model : encodeModel(model);
  writeFileSync(join(folder, '1/model.onnx'), bytes);
  writeFileSync(join(folder, 'tokenizer.json'), '{"model":{}}');
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const members = {
    id: 'small',
    task: 'tensor',
    versions: `{ "1": { weights: 1/model.onnx, sha256: ${sha256} } }`,
    ...manifest,
  };
  const lines = Object.entries(members).map(([key, text]) => `${key}: ${text}\n`);
  writeFileSync(join(folder, 'model.yaml'), lines.join(''));
}

describe('packModel', () => {
  it('describes the inputs and outputs that the file declares', async () => {
    writeFolder(perceptron());
    const packed = await packModel(folder, out);
    expect(packed.versions['1']).toMatchObject({
      file: '1.ort',
      inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 8] }],
      outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 3] }],
    });
    expect(parsePackedModel(JSON.parse(readFileSync(join(out, 'model.json'), 'utf8')), 'model.json')).toEqual(packed);
    expect(packed.versions['1']?.bytes).toBe(readFileSync(join(out, '1.ort')).length);
  });

  describe('of a model on an endpoint', () => {
    const compute = '{ target: sagemaker }';

    /** Unpacks the archive of version 1. */
    async function unpack(): Promise<string> {
      const target = join(root, 'unpacked');
      mkdirSync(target, { recursive: true });
      await extract({ file: join(out, 'endpoint/1.tar.gz'), cwd: target });
      return target;
    }

    it('writes a Triton model repository of a version, and no file for onnxruntime here', async () => {
      writeFolder(perceptron(), { compute });
      const { versions } = await packModel(folder, out);
      const bytes = encodeModel(perceptron());
      expect(versions['1']).toEqual({
        file: 'endpoint/1.tar.gz',
        sha256: createHash('sha256').update(bytes).digest('hex'),
        bytes: bytes.length,
        metadata: expect.objectContaining({
          tensors: expect.arrayContaining([{ name: 'x', dimensions: ['rows', 8] }]),
        }),
        inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 8] }],
        rows: 'independent',
        outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 3] }],
      });
      const repository = await unpack();
      expect(readdirSync(repository, { recursive: true }).sort()).toEqual([
        ...['small', 'small/1', 'small/1/model.onnx', 'small/config.pbtxt'],
      ]);
      expect(readFileSync(join(repository, 'small/1/model.onnx'))).toEqual(Buffer.from(bytes));
      expect(readFileSync(join(repository, 'small/config.pbtxt'), 'utf8')).toContain('name: "small"');
      expect(existsSync(join(out, '1.ort'))).toBe(false);
    });

    it('writes the same archive of the same files', async () => {
      writeFolder(perceptron(), { compute });
      await packModel(folder, out);
      const file = join(out, 'endpoint/1.tar.gz');
      await packModel(folder, join(root, 'again'));
      expect(readFileSync(join(root, 'again/endpoint/1.tar.gz'))).toEqual(readFileSync(file));
      // Both were made within one second, which is the unit of times in an archive: it must contain none.
      const times: unknown[] = [];
      list({ file, sync: true, onReadEntry: ({ mtime }) => times.push(mtime) });
      expect(new Set(times)).toEqual(new Set([undefined]));
    });

    it('refuses operators that are newer than the container', async () => {
      const model = perceptron();
      const [opset] = model.opsetImport;
      if (opset === undefined) throw new Error('the model has no operator set');
      opset.version = 23n;
      writeFolder(model, { compute });
      await expect(packModel(folder, out)).rejects.toMatchObject({
        code: 'ONNX_INVALID',
        message:
          "1/model.onnx is of operator set 23, the endpoint's container runs 22 at most: export the model for that",
      });
    });

    it('takes other weights if the version names some', async () => {
      const bytes = encodeModel(
        smallModel({
          nodes: [makeNode('MatMul', 'only', ['x', 'w'], ['y'])],
          inputs: [value('x', ['rows', 8])],
          outputs: [value('y', ['rows', 3])],
          constants: [matrix('w', 8, 3, 2)],
        }),
      );
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      const cpu = createHash('sha256').update(encodeModel(perceptron())).digest('hex');
      writeFolder(perceptron(), {
        compute,
        versions: `{ "1": { weights: 1/model.onnx, sha256: ${cpu}, sagemaker: { weights: 1/gpu.onnx, sha256: ${sha256} } } }`,
      });
      writeFileSync(join(folder, '1/gpu.onnx'), bytes);
      const { versions } = await packModel(folder, out);
      expect(versions['1']?.sha256).toBe(sha256);
      expect(readFileSync(join(await unpack(), 'small/1/model.onnx'))).toEqual(Buffer.from(bytes));
      writeFileSync(join(folder, '1/gpu.onnx'), encodeModel(perceptron()));
      await expect(packModel(folder, out)).rejects.toMatchObject({ code: 'WEIGHTS_MISMATCH' });
    });
  });

  describe("with the manifest's key `rows`", () => {
    /** Quantizes with a scale that is taken from the whole run. */
    const dependent = () =>
      smallModel({
        nodes: [
          makeNode('DynamicQuantizeLinear', 'quantize', ['x'], ['q', 'scale', 'zero']),
          makeNode('DequantizeLinear', 'dequantize', ['q', 'scale', 'zero'], ['y']),
        ],
        inputs: [value('x', ['rows', 8])],
        outputs: [value('y', ['rows', 8])],
      });

    it('takes the word of the owner that rows depend on each other', async () => {
      writeFolder(perceptron());
      await expect(packModel(folder, out)).resolves.toHaveProperty('versions.1.rows', 'independent');
      writeFolder(perceptron(), { rows: 'together' });
      await expect(packModel(folder, join(root, 'stated'))).resolves.toHaveProperty('versions.1.rows', 'together');
    });

    it('takes the word of the owner for inputs that packing cannot make up', async () => {
      const texts = smallModel({
        nodes: [makeNode('Identity', 'same', ['x'], ['y'])],
        inputs: [value('x', ['a', 8], DataType.STRING)],
        outputs: [value('y', ['b', 8], DataType.STRING)],
      });
      writeFolder(texts);
      await expect(packModel(folder, out)).resolves.toHaveProperty('versions.1.rows', undefined);
      writeFolder(texts, { rows: 'independent' });
      await expect(packModel(folder, join(root, 'stated'))).resolves.toHaveProperty('versions.1.rows', 'independent');
    });

    it('refuses the word of the owner when a sample run shows the opposite', async () => {
      writeFolder(dependent(), { rows: 'independent' });
      await expect(packModel(folder, out)).rejects.toMatchObject({
        code: 'MANIFEST_INVALID',
        message:
          'rows must not be independent for version 1 of small: in a sample run, a row gave another result alone than beside others; write together, or remove the key',
      });
    });

    it('keeps the container of an endpoint from merging requests', async () => {
      const read = async (target: string) => {
        await extract({ file: join(target, 'endpoint/1.tar.gz'), cwd: target });
        return readFileSync(join(target, 'small/config.pbtxt'), 'utf8');
      };
      writeFolder(perceptron(), { compute: '{ target: sagemaker }' });
      await packModel(folder, out);
      expect(await read(out)).toContain('dynamic_batching');
      writeFolder(perceptron(), { compute: '{ target: sagemaker }', rows: 'together' });
      const stated = join(root, 'stated');
      await expect(packModel(folder, stated)).resolves.toHaveProperty('versions.1.rows', 'together');
      expect(await read(stated)).not.toContain('dynamic_batching');
    });
  });

  it('packs a shadow version separately, and requires that it has the signature of the other versions', async () => {
    const write = (bytes: Uint8Array) => {
      const [one, two] = [encodeModel(perceptron()), bytes].map((weights) =>
        createHash('sha256').update(weights).digest('hex'),
      );
      writeFolder(perceptron(), {
        compute: '{ target: sagemaker }',
        shadow: '{ version: "2", percent: 5 }',
        versions: `{ "1": { weights: 1/model.onnx, sha256: ${one} }, "2": { weights: 1/two.onnx, sha256: ${two} } }`,
      });
      writeFileSync(join(folder, '1/two.onnx'), bytes);
    };
    write(product(8));
    const packed = await packModel(folder, out);
    expect(Object.keys(packed.versions)).toEqual(['1']);
    expect(packed.shadow?.file).toBe('endpoint/2.tar.gz');
    expect(parsePackedModel(JSON.parse(readFileSync(join(out, 'model.json'), 'utf8')), 'model.json')).toEqual(packed);
    write(product(4));
    await expect(packModel(folder, join(root, 'unlike'))).rejects.toMatchObject({
      code: 'ONNX_INVALID',
      message:
        'version 2 of small cannot be the shadow of the other, whose requests it gets: it takes x FP32[-1,4], the other x FP32[-1,8]',
    });
  });

  it('compares a shadow with the version whose requests it gets', async () => {
    const weights = [product(4), product(4), product(8)];
    const listed = weights.map((bytes, index) => {
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      return `"${index + 1}": { weights: ${index + 1}.onnx, sha256: ${sha256} }`;
    });
    writeFolder(perceptron(), {
      compute: '{ target: sagemaker }',
      shadow: '{ version: "1", percent: 5 }',
      traffic: '{ "2": 90, "3": 10 }',
      versions: `{ ${listed.join(', ')} }`,
    });
    for (const [index, bytes] of weights.entries()) writeFileSync(join(folder, `${index + 1}.onnx`), bytes);
    await expect(packModel(folder, out)).resolves.toHaveProperty('shadow.file', 'endpoint/1.tar.gz');
    const manifest = readFileSync(join(folder, 'model.yaml'), 'utf8');
    writeFileSync(join(folder, 'model.yaml'), manifest.replace('{ "2": 90, "3": 10 }', '{ "2": 10, "3": 90 }'));
    await expect(packModel(folder, join(root, 'unlike'))).rejects.toMatchObject({ code: 'ONNX_INVALID' });
  });

  it('writes a file that gives the results of the original', async () => {
    writeFolder(perceptron());
    const { versions } = await packModel(folder, out);
    const declared = versions['1'] ?? { inputs: [], outputs: [] };
    const predictor = await openOnnxPredictor({ file: join(out, '1.ort'), declared, threads: 1 });
    const original = await openSession(encodeModel(perceptron()));
    const feed = { x: floats([5, 8], noise(40, 9)) };
    expect(await predictor.run(feed)).toEqual(await original.run(feed));
    await original.release();
  });

  it('carries the tokenizer of a text encoder, and none of a tensor model', async () => {
    writeFolder(encoder(), { task: 'embedding' });
    await packModel(folder, out);
    expect(JSON.parse(readFileSync(join(out, 'tokenizer.json'), 'utf8'))).toEqual({ model: {} });
    writeFolder(perceptron());
    await packModel(folder, join(root, 'tensor'));
    expect(existsSync(join(root, 'tensor/tokenizer.json'))).toBe(false);
  });

  it('carries a WordPiece tokenizer with its tables, and nothing of the tokenizer that was packed there before', async () => {
    const wordPiece = readFileSync('models/minilm/tokenizer.json', 'utf8');
    const cased = wordPiece.replace(/"lowercase": *true/, '"lowercase":false');
    const files = [];
    for (const tokenizer of [wordPiece, cased, wordPiece]) {
      writeFolder(encoder(), { task: 'embedding' });
      writeFileSync(join(folder, 'tokenizer.json'), tokenizer);
      await packModel(folder, out);
      files.push(readdirSync(out).sort());
    }
    const [tables, library] = [
      ['1.ort', 'model.json', 'word-piece.bin'],
      ['1.ort', 'model.json', 'tokenizer.json'],
    ];
    expect(files).toEqual([tables, library, tables]);
    expect((await openTokenizer(out)).encode('Hello world')).toEqual([101, 7592, 2088, 102]);
  });

  it('packs every version', async () => {
    const sha256 = createHash('sha256').update(encodeModel(perceptron())).digest('hex');
    const version = `{ weights: 1/model.onnx, sha256: ${sha256} }`;
    writeFolder(perceptron(), { versions: `{ "1": ${version}, "2": ${version} }` });
    const { versions } = await packModel(folder, out);
    expect(Object.values(versions).map(({ file }) => file)).toEqual(['1.ort', '2.ort']);
    expect(existsSync(join(out, '2.ort'))).toBe(true);
  });

  it('writes nothing that only some processors run', async () => {
    const image = smallModel({
      nodes: [makeNode('Conv', 'conv', ['x', 'w'], ['y'])],
      inputs: [value('x', [1, 32, 8, 8])],
      outputs: [value('y', [1, 32, 6, 6])],
      constants: [matrix('w', 32, 288)].map((tensor) => ({ ...tensor, dims: [32n, 32n, 3n, 3n] })),
    });
    writeFolder(image);
    await packModel(folder, out);
    // The layout of processors comes with nodes that reorder tensors into it.
    expect(readFileSync(join(out, '1.ort')).includes('ReorderInput')).toBe(false);
  });
});

describe('packModel, given a broken folder,', () => {
  it('fails with MANIFEST_INVALID when there is no manifest', async () => {
    await expect(packModel(folder, out)).rejects.toMatchObject({
      code: 'MANIFEST_INVALID',
      message: expect.stringMatching(/model\.yaml does not exist$/),
    });
  });

  it('fails with MANIFEST_INVALID when the manifest is not YAML, and names line and column', async () => {
    writeFileSync(join(folder, 'model.yaml'), 'id: small\ntask: [tensor\n');
    await expect(packModel(folder, out)).rejects.toMatchObject({
      code: 'MANIFEST_INVALID',
      message: expect.stringMatching(/model\.yaml:\d+:\d+ is not YAML: \S/),
    });
  });

  it('fails with MANIFEST_INVALID and every problem when the manifest violates its schema', async () => {
    writeFolder(perceptron(), { task: 'guess', colour: 'red' });
    await expect(packModel(folder, out)).rejects.toMatchObject({
      code: 'MANIFEST_INVALID',
      message: expect.stringMatching(/2 problems/),
    });
  });

  it('fails with MANIFEST_INVALID when the id is not the name of the folder', async () => {
    writeFolder(perceptron(), { id: 'large' });
    await expect(packModel(folder, out)).rejects.toMatchObject({
      code: 'MANIFEST_INVALID',
      message: expect.stringMatching(/id must be the name of its folder, small, got large$/),
    });
  });

  it.each([
    ['WEIGHTS_MISMATCH', '1/model.onnx'],
    ['MANIFEST_INVALID', 'tokenizer.json'],
  ])('fails with %s when %s is missing', async (code, file) => {
    writeFolder(encoder(), { task: 'embedding' });
    rmSync(join(folder, file));
    await expect(packModel(folder, out)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(`${join(folder, file)} does not exist`),
    });
  });

  it.each(['{', '[]', '7'])('fails with MANIFEST_INVALID when the tokenizer is %s', async (text) => {
    writeFolder(encoder(), { task: 'embedding' });
    writeFileSync(join(folder, 'tokenizer.json'), text);
    await expect(packModel(folder, out)).rejects.toMatchObject({
      code: 'MANIFEST_INVALID',
      message: expect.stringMatching(/must contain a JSON object$/),
    });
  });

  it('fails with WEIGHTS_MISMATCH when the weights are others, and names both hashes', async () => {
    const expected = 'a'.repeat(64);
    writeFolder(perceptron(), { versions: `{ "1": { weights: 1/model.onnx, sha256: ${expected} } }` });
    const got = createHash('sha256').update(encodeModel(perceptron())).digest('hex');
    await expect(packModel(folder, out)).rejects.toMatchObject({
      code: 'WEIGHTS_MISMATCH',
      message: expect.stringMatching(new RegExp(`model\\.onnx has SHA-256 ${got}, model\\.yaml says ${expected}$`)),
    });
    expect(existsSync(join(out, 'model.json'))).toBe(false);
  });

  it('fails with ONNX_INVALID when the weights are not an ONNX file', async () => {
    writeFolder(new TextEncoder().encode('version https://git-lfs.github.com/spec/v1'));
    await expect(packModel(folder, out)).rejects.toMatchObject({ code: 'ONNX_INVALID' });
  });

  it.each(['lambda', 'sagemaker'])(
    'fails with ONNX_INVALID when onnxruntime does not know an operator, on %s',
    async (target) => {
      const model = perceptron();
      graphOf(model).node[1] = makeNode('Sparkle', 'relu', ['hidden'], ['positive']);
      writeFolder(model, { compute: `{ target: ${target} }` });
      await expect(packModel(folder, out)).rejects.toMatchObject({
        code: 'ONNX_INVALID',
        message: expect.stringMatching(/onnxruntime refuses .*Sparkle/),
      });
    },
  );

  describe('of a model as PyTorch exports it, with its weights in a file beside it', () => {
    const hashOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
    const dataFile = () => join(folder, '1/model.onnx.data');

    /** @param listed - Value of `externalData` in the manifest; none by default. */
    function writeExport(listed?: object, changes: Readonly<Record<string, string>> = {}): string {
      const bytes = writeTorchExport(join(folder, '1/model.onnx'));
      const version = { weights: '1/model.onnx', sha256: hashOf(bytes), externalData: listed };
      writeFolder(bytes, { versions: JSON.stringify({ '1': version }), ...changes });
      return version.sha256;
    }

    async function run(): Promise<unknown> {
      const packed = await packModel(folder, out);
      const predictor = await openOnnxPredictor({
        file: join(out, '1.ort'),
        declared: { inputs: packed.versions['1']?.inputs ?? [], outputs: packed.versions['1']?.outputs ?? [] },
        threads: 1,
      });
      return (await predictor.run({ x: floats([1, 4], [1, 0, 0, 0]) }))['y']?.data;
    }

    it('runs with these weights, and leaves nothing but the converted file', async () => {
      writeExport();
      await expect(run()).resolves.toEqual(EXTERNAL_WEIGHT.slice(0, 2));
      expect(readdirSync(out).sort()).toEqual(['1.ort', 'model.json']);
    });

    it('has an identity that changes with the file beside it', async () => {
      const sha256 = writeExport();
      const first = (await packModel(folder, out)).versions['1']?.sha256;
      writeFileSync(dataFile(), bytesOf(noise(8, 6)));
      const second = (await packModel(folder, out)).versions['1']?.sha256;
      expect(new Set([sha256, first, second]).size).toBe(3);
    });

    it('is packed for an endpoint as one file', async () => {
      writeExport(undefined, { compute: '{ target: sagemaker }' });
      const packed = await packModel(folder, out);
      await extract({ file: join(out, 'endpoint/1.tar.gz'), cwd: out });
      const model = readModel(join(out, 'small/1/model.onnx'));
      expect(graphOf(model).initializer.map(readFloats)).toEqual([EXTERNAL_WEIGHT]);
      expect(packed.versions['1']?.sha256).toBe(hashOf(readFileSync(join(out, 'small/1/model.onnx'))));
    });

    it('is checked against the hash that the manifest lists for the file', async () => {
      writeExport({ 'model.onnx.data': hashOf(bytesOf(EXTERNAL_WEIGHT)) });
      await expect(run()).resolves.toEqual(EXTERNAL_WEIGHT.slice(0, 2));
      writeFileSync(dataFile(), bytesOf(noise(8, 7)));
      await expect(run()).rejects.toMatchObject({
        code: 'WEIGHTS_MISMATCH',
        message: expect.stringMatching(/1\/model\.onnx\.data has SHA-256 [0-9a-f]{64}, model\.yaml says/),
      });
    });

    it('is refused when the manifest lists other files', async () => {
      writeExport({ 'other.data': 'a'.repeat(64) });
      await expect(run()).rejects.toMatchObject({
        code: 'WEIGHTS_MISMATCH',
        message: expect.stringMatching(
          /stores no tensors in 1\/other\.data, [\s\S]*stores tensors in 1\/model\.onnx\.data, which model\.yaml does not list/,
        ),
      });
    });

    it('is refused when the file is missing', async () => {
      writeExport();
      rmSync(dataFile());
      await expect(run()).rejects.toMatchObject({
        code: 'ONNX_INVALID',
        message: expect.stringMatching(/^external data file model\.onnx\.data of tensor w is missing: keep the files/),
      });
    });

    it.each(['../../secret.bin', '/etc/hostname'])('is refused when it names %s', async (location) => {
      writeFileSync(join(root, 'secret.bin'), bytesOf(EXTERNAL_WEIGHT));
      writeFolder(externalModel({ location }));
      await expect(run()).rejects.toMatchObject({
        code: 'ONNX_INVALID',
        message: expect.stringContaining("must lie in the model's folder"),
      });
    });
  });

  it('fails with ONNX_INVALID when an embedding model has no output for its tokens', async () => {
    writeFolder(perceptron(), { task: 'embedding' });
    await expect(packModel(folder, out)).rejects.toMatchObject({
      code: 'ONNX_INVALID',
      message: expect.stringMatching(/not a text encoder: it needs an FP32 output/),
    });
  });

  it('fails with ONNX_INVALID when an embedding model takes something else than tokens', async () => {
    writeFolder(encoder(DataType.INT32), { task: 'embedding' });
    await expect(packModel(folder, out)).resolves.toBeDefined();
    const model = encoder();
    graphOf(model).input.push(value('pixel_values', ['batch', 3]));
    writeFolder(model, { task: 'embedding' });
    await expect(packModel(folder, out)).rejects.toMatchObject({
      code: 'ONNX_INVALID',
      message: expect.stringMatching(/not a text encoder: it must take input_ids, .* got .*pixel_values FP32$/),
    });
  });
});
