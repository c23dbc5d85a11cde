import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readSamples, splitSamples } from '../../../onnx/gate/sample-inputs.ts';
import { encoderFeeds, floats } from '../small-models.ts';
import { SMALL_TOKENIZER } from '../small-tokenizer.ts';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tensorgate-samples-'));
  writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(SMALL_TOKENIZER));
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

function read(
  content: string,
  options: { readonly tokenizer?: string; readonly maxTokens?: number; readonly inputNames?: string[] } = {},
) {
  const path = join(folder, 'samples.json');
  writeFileSync(path, content);
  const tokenizer = options.tokenizer === undefined ? undefined : join(folder, options.tokenizer);
  return readSamples(path, {
    inputNames: options.inputNames ?? ['input_ids', 'attention_mask'],
    maxTokens: options.maxTokens,
    tokenizer,
  });
}

const idsOf = (content: string, maxTokens?: number) =>
  read(content, { tokenizer: 'tokenizer.json', ...(maxTokens === undefined ? {} : { maxTokens }) }).feeds.map((feed) =>
    Array.from(feed['input_ids']?.data ?? [], Number),
  );

describe('readSamples', () => {
  it('turns texts into unpadded rows between the special tokens', () => {
    expect(idsOf('["hello", "hello world hello"]')).toEqual([
      [2, 4, 3],
      [2, 4, 5, 4, 3],
    ]);
  });

  it('cuts long texts and keeps the closing token', () => {
    expect(idsOf('["hello world hello world"]', 4)).toEqual([[2, 4, 5, 3]]);
  });

  it('cuts where the tokenizer says when nothing else is asked for', () => {
    expect(idsOf(JSON.stringify(['hello '.repeat(20)]))[0]).toHaveLength(8);
  });

  it('gives the inputs that the model takes and no others', () => {
    const { feeds, areTexts } = read('["hello"]', {
      tokenizer: 'tokenizer.json',
      inputNames: ['token_type_ids', 'input_ids'],
    });
    expect(areTexts).toBe(true);
    expect(Object.keys(feeds[0] ?? {})).toEqual(['token_type_ids', 'input_ids']);
    expect(feeds[0]?.['token_type_ids']?.shape).toEqual([1, 3]);
  });

  it('reads requests of the Open Inference Protocol', () => {
    const request = { inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 2], data: [[1, 2]] }] };
    expect(read(JSON.stringify([request]))).toEqual({ areTexts: false, feeds: [{ x: floats([1, 2], [1, 2]) }] });
  });

  it.each([
    ['is empty', '[]'],
    ['mixes texts and requests', '["text", {"inputs": []}]'],
    ['is something else', '{"texts": []}'],
    ['is not JSON', 'hello'],
  ])('fails with INVALID_PARAMETER when the file %s', (_, content) => {
    expect(() => read(content, { tokenizer: 'tokenizer.json' })).toThrow(
      expect.objectContaining({ code: 'INVALID_PARAMETER' }),
    );
  });

  it('fails with INVALID_PARAMETER when texts come without a tokenizer', () => {
    expect(() => read('["hello"]')).toThrow(/which need a tokenizer/);
  });

  it('fails with INVALID_PARAMETER when a file is missing', () => {
    expect(() => read('["hello"]', { tokenizer: 'absent.json' })).toThrow(/absent.json cannot be read/);
  });

  it('fails with ONNX_INVALID when the model is no text encoder', () => {
    expect(() => read('["hello"]', { tokenizer: 'tokenizer.json', inputNames: ['input_ids', 'pixel_values'] })).toThrow(
      'the model is no text encoder: it also takes pixel_values',
    );
  });

  it('fails with ONNX_INVALID when the tokenizer is none', () => {
    expect(() => read('["hello"]', { tokenizer: 'samples.json' })).toThrow(/must hold a model/);
  });
});

describe('splitSamples', () => {
  it('keeps every fourth input from calibration', () => {
    const feeds = encoderFeeds(9);
    const { calibration, feeds: judged } = splitSamples(feeds);
    expect(judged).toEqual([feeds[3], feeds[7]]);
    expect(calibration).toHaveLength(7);
  });

  it('uses a few inputs for both', () => {
    const feeds = encoderFeeds(3);
    expect(splitSamples(feeds)).toEqual({ calibration: feeds, feeds });
  });
});
