import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { feedsOf, readAll } from '../../../onnx/runtime/feeds.ts';
import type { ModelInput } from '../../../onnx/samples/model-inputs.ts';
import { openSamples, type SampleOptions, splitSamples } from '../../../onnx/samples/open-samples.ts';
import { encoderFeeds, floats } from '../small-models.ts';
import { SMALL_TOKENIZER } from '../small-tokenizer.ts';

let folder: string;
let tokenizer: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tensorgate-samples-'));
  tokenizer = join(folder, 'tokenizer.json');
  writeFileSync(tokenizer, JSON.stringify(SMALL_TOKENIZER));
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

const tokens = (name: string): ModelInput => ({ name, datatype: 'INT64', shape: ['n', 'length'] });
const ENCODER = [tokens('input_ids'), tokens('attention_mask')];
const X: ModelInput[] = [{ name: 'x', datatype: 'FP32', shape: ['n', 2] }];

function open(content: string, options: Partial<SampleOptions> = {}) {
  const path = join(folder, 'samples.json');
  writeFileSync(path, content);
  return openSamples(path, { inputs: ENCODER, ...options });
}

async function idsOf(content: string, maxTokens?: number): Promise<number[][]> {
  const { feeds } = await open(content, { tokenizer, maxTokens });
  return (await readAll(feeds)).map((feed) => Array.from(feed['input_ids']?.data ?? [], Number));
}

const request = (inputs: readonly unknown[], others: object = {}) => JSON.stringify([{ inputs, ...others }]);
const tensor = { name: 'x', datatype: 'FP32', shape: [1, 2], data: [1, 2] };

describe('openSamples, with texts', () => {
  it('turns texts into unpadded rows between the special tokens', async () => {
    expect(await idsOf('["hello", "hello world hello"]')).toEqual([
      [2, 4, 3],
      [2, 4, 5, 4, 3],
    ]);
  });

  it('cuts long texts and keeps the closing token', async () => {
    expect(await idsOf('["hello world hello world"]', 4)).toEqual([[2, 4, 5, 3]]);
  });

  it('cuts where the tokenizer says when nothing else is asked for', async () => {
    expect((await idsOf(JSON.stringify(['hello '.repeat(20)])))[0]).toHaveLength(8);
  });

  it('gives the inputs that the model takes and no others', async () => {
    const inputs = [tokens('token_type_ids'), tokens('input_ids')];
    const { feeds, areTexts } = await open('["hello"]', { tokenizer, inputs });
    const feed = await feeds.read(0);
    expect(areTexts).toBe(true);
    expect(Object.keys(feed)).toEqual(['token_type_ids', 'input_ids']);
    expect(feed['token_type_ids']?.shape).toEqual([1, 3]);
  });

  it('reads a folder of texts in the order of their names', async () => {
    const texts = join(folder, 'texts');
    mkdirSync(texts);
    writeFileSync(join(texts, 'b.txt'), 'hello world');
    writeFileSync(join(texts, 'a.txt'), 'world');
    writeFileSync(join(texts, '.hidden'), '');
    const { feeds, areTexts } = await openSamples(texts, { inputs: ENCODER, tokenizer });
    const read = await readAll(feeds);
    expect(areTexts).toBe(true);
    expect(read.map((feed) => feed['input_ids']?.shape)).toEqual([
      [1, 3],
      [1, 4],
    ]);
  });

  it('fails with INVALID_PARAMETER when texts come without a tokenizer', async () => {
    await expect(open('["hello"]')).rejects.toThrow(/which need a tokenizer/);
  });

  it('fails with INVALID_PARAMETER when the model is not a text encoder', async () => {
    const inputs = [...ENCODER, tokens('pixel_values')];
    await expect(open('["hello"]', { tokenizer, inputs })).rejects.toMatchObject({
      code: 'INVALID_PARAMETER',
      message: 'texts need a text encoder, but the model also takes pixel_values: give requests or arrays instead',
    });
  });

  it('fails with INVALID_PARAMETER when the tokenizer is none or missing', async () => {
    await expect(open('["a"]', { tokenizer: join(folder, 'samples.json') })).rejects.toThrow(/must contain a model/);
    await expect(open('["a"]', { tokenizer: join(folder, 'no.json') })).rejects.toThrow(/no.json cannot be read/);
  });
});

describe('openSamples, with requests', () => {
  it('reads requests of the Open Inference Protocol, nested or flat', async () => {
    const { feeds, areTexts } = await open(request([{ ...tensor, data: [[1, 2]] }]), { inputs: X });
    expect(areTexts).toBe(false);
    expect(await readAll(feeds)).toEqual([{ x: floats([1, 2], [1, 2]) }]);
  });

  it('allows what a request may say besides its inputs', async () => {
    const others = { id: 'a', parameters: { priority: 1 }, outputs: [{ name: 'y' }] };
    const { feeds } = await open(request([{ ...tensor, parameters: { content_type: 'np' } }], others), { inputs: X });
    expect(feeds.count).toBe(1);
  });

  it('keeps whole numbers beyond 2^53 exact', async () => {
    const inputs: ModelInput[] = [{ name: 'i', datatype: 'INT64', shape: [2] }];
    const text =
      '[{"inputs":[{"name":"i","datatype":"INT64","shape":[2],"data":[9223372036854775807,9007199254740993]}]}]';
    const [feed] = await readAll((await open(text, { inputs })).feeds);
    expect(feed?.['i']?.data).toEqual(BigInt64Array.of(9_223_372_036_854_775_807n, 9_007_199_254_740_993n));
  });

  it('reads inputs without elements', async () => {
    const { feeds } = await open(request([{ ...tensor, shape: [0, 2], data: [] }]), { inputs: X });
    expect(await feeds.read(0)).toEqual({ x: floats([0, 2], []) });
  });

  it('uses the requested number of samples, evenly spread', async () => {
    const list = Array.from({ length: 10 }, (_, index) => ({ inputs: [{ ...tensor, data: [index, index] }] }));
    const { feeds, available } = await open(JSON.stringify(list), { inputs: X, maxSamples: 3 });
    expect(available).toBe(10);
    expect((await readAll(feeds)).map((feed) => feed['x']?.data[0])).toEqual([0, 3, 6]);
  });

  it.each([
    ['is empty', '[]', /samples.json is an empty list, it must contain at least one input/],
    ['is something else', '{"texts": []}', /must be a list of texts, or of requests/],
    ['is not JSON', 'hello', /must be a list of texts, or of requests/],
    ['has an element that is not JSON', '[{"inputs" [1]}]', /samples.json\[0\] is not valid JSON/],
    ['has a text among requests', `${request([tensor]).slice(0, -1)}, "text"]`, /samples.json\[1\] must be a request/],
    ['has an unknown member', request([{ ...tensor, dat: [] }]), /dat/],
    ['has a wrong number of elements', request([{ ...tensor, data: [1] }]), /samples.json\[0\]: x holds 1 elements/],
    ['has a negative length', request([{ ...tensor, shape: [-1, 2] }]), /must be a whole number from 0/],
    ['names another input', request([{ ...tensor, name: 'y' }]), /input 1 of .*samples.json has y, which the model/],
  ])('fails with INVALID_PARAMETER when the file %s', async (_, content, message) => {
    await expect(open(content, { inputs: X })).rejects.toMatchObject({
      code: 'INVALID_PARAMETER',
      message: expect.stringMatching(message),
    });
  });

  it('fails with INVALID_PARAMETER when a request is among texts', async () => {
    await expect(open('["a", {"inputs": []}]', { tokenizer })).rejects.toThrow(/samples.json\[1\] must be a text/);
  });

  it.each([
    ['does not exist', 'absent', /absent cannot be read: it does not exist/],
    ['is an empty folder', 'empty', /empty must contain pictures only .*, got no files/],
    ['is a folder of several kinds', 'mixed', /mixed must contain pictures only .*, got .png, .txt/],
  ])('fails with INVALID_PARAMETER when the path %s', async (_, name, message) => {
    mkdirSync(join(folder, 'empty'), { recursive: true });
    mkdirSync(join(folder, 'mixed'), { recursive: true });
    writeFileSync(join(folder, 'mixed', 'a.txt'), '');
    writeFileSync(join(folder, 'mixed', 'a.png'), '');
    await expect(openSamples(join(folder, name), { inputs: X })).rejects.toMatchObject({
      code: 'INVALID_PARAMETER',
      message: expect.stringMatching(message),
    });
  });
});

describe('splitSamples', () => {
  it('keeps every fourth input from calibration', async () => {
    const feeds = encoderFeeds(9);
    const { calibration, feeds: judged } = splitSamples(feedsOf(feeds));
    expect(await readAll(judged)).toEqual([feeds[3], feeds[7]]);
    expect(calibration.count).toBe(7);
  });

  it('uses a few inputs for both', () => {
    const feeds = feedsOf(encoderFeeds(3));
    expect(splitSamples(feeds)).toEqual({ calibration: feeds, feeds });
  });
});
