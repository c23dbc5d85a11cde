import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { decodeTritonAnswer, decodeTritonBody, encodeTritonRequest } from '../../../core/protocols/triton-binary.ts';
import type { Tensor } from '../../../core/tensors/tensor.ts';

/** Creates Triton's response with the tensors of a request, whose JSON part calls them `outputs`. */
function echo(inputs: Readonly<Record<string, Tensor>>) {
  const { contentType, body } = encodeTritonRequest(inputs);
  const size = Number(contentType.split('=').at(-1));
  const { inputs: outputs } = JSON.parse(Buffer.from(body.subarray(0, size)).toString()) as { inputs: unknown };
  const header = Buffer.from(JSON.stringify({ model_name: 'm', model_version: '1', outputs }));
  return {
    contentType: contentType.replace(String(size), String(header.length)),
    body: Buffer.concat([header, body.subarray(size)]),
  };
}

describe('a request to Triton', () => {
  it('is a JSON part whose length is in the media type, then the elements, little-endian', () => {
    const ids: Tensor = { datatype: 'INT64', shape: [1, 2], data: new BigInt64Array([1n, -2n]) };
    const { contentType, body } = encodeTritonRequest(
      { ids, on: { datatype: 'BOOL', shape: [1], data: new Uint8Array([1]) } },
      1.5,
    );
    const [type, size] = contentType.split('=');
    expect(type).toBe('application/vnd.sagemaker-triton.binary+json;json-header-size');
    expect(JSON.parse(Buffer.from(body.subarray(0, Number(size))).toString())).toEqual({
      parameters: { binary_data_output: true, timeout: 1500 },
      inputs: [
        { name: 'ids', datatype: 'INT64', shape: [1, 2], parameters: { binary_data_size: 16 } },
        { name: 'on', datatype: 'BOOL', shape: [1], parameters: { binary_data_size: 1 } },
      ],
    });
    expect(Buffer.from(body.subarray(Number(size))).toString('hex')).toBe('0100000000000000feffffffffffffff01');
  });

  it('carries strings with their lengths', () => {
    const { body } = encodeTritonRequest({ s: { datatype: 'BYTES', shape: [2], data: ['é', ''] } });
    expect(Buffer.from(body.subarray(-10)).toString('hex')).toBe('02000000c3a900000000');
  });
});

describe('a response of Triton', () => {
  it('returns what was sent, of any datatype', () => {
    const tensors: Record<string, Tensor> = {
      f: { datatype: 'FP32', shape: [2, 1], data: new Float32Array([1.5, -0]) },
      h: { datatype: 'FP16', shape: [1], data: new Uint16Array([0x3c00]) },
      d: { datatype: 'FP64', shape: [], data: new Float64Array([Math.PI]) },
      u: { datatype: 'UINT64', shape: [1], data: new BigUint64Array([2n ** 64n - 1n]) },
      s: { datatype: 'BYTES', shape: [2], data: ['ü', 'x'] },
      none: { datatype: 'INT8', shape: [0, 4], data: new Int8Array() },
    };
    expect(decodeTritonAnswer(echo(tensors))).toEqual(tensors);
  });

  it('is read without its media type, for any names', () => {
    const tensors: Record<string, Tensor> = {
      '}{"\\': { datatype: 'FP32', shape: [1], data: new Float32Array([7]) },
      b: { datatype: 'BYTES', shape: [1], data: ['{}}'] },
    };
    expect(decodeTritonBody(echo(tensors).body)).toEqual(tensors);
  });

  it.each(['', 'oops', '{"outputs":[', '{"a":{}'])('is refused if its JSON part is %j', (text) => {
    expect(() => decodeTritonBody(Buffer.from(text))).toThrow('its JSON part lists no binary outputs');
  });

  it('may start at any offset of its buffer', () => {
    const { contentType, body } = echo({ f: { datatype: 'FP32', shape: [1], data: new Float32Array([2]) } });
    const shifted = new Uint8Array(body.length + 1);
    shifted.set(body, 1);
    expect(decodeTritonAnswer({ contentType, body: shifted.subarray(1) })).toMatchObject({ f: { shape: [1] } });
  });

  const good = echo({ f: { datatype: 'FP32', shape: [2], data: new Float32Array(2) } });
  const strings = echo({ s: { datatype: 'BYTES', shape: [1], data: ['abc'] } });
  const withJson = (header: object, rest = Buffer.alloc(0)) => {
    const json = Buffer.from(JSON.stringify(header));
    return {
      contentType: `application/vnd.sagemaker-triton.binary+json;json-header-size=${json.length}`,
      body: Buffer.concat([json, rest]),
    };
  };
  it.each([
    ['JSON', { contentType: 'application/json', body: good.body }, 'its media type is not'],
    ['nothing', { contentType: '', body: new Uint8Array() }, 'its media type is not'],
    ['a length beyond the end', { ...good, body: good.body.subarray(0, 10) }, 'its media type is not'],
    ['a cut', { ...good, body: good.body.subarray(0, -1) }, 'outputs[0] is cut off'],
    ['a cut string', { ...strings, body: strings.body.subarray(0, -1) }, 'outputs[0] is cut off'],
    ['no outputs', withJson({}), 'lists no binary outputs'],
    ['outputs that are none', withJson({ outputs: [{ name: 'f' }] }), 'lists no binary outputs'],
    [
      'too few bytes for the shape',
      withJson({ outputs: [{ name: 'f', datatype: 'FP32', shape: [2], parameters: { binary_data_size: 0 } }] }),
      'outputs[0] has 0 bytes, FP32 of the shape [2] needs 8',
    ],
    [
      'strings that end early',
      withJson(
        { outputs: [{ name: 's', datatype: 'BYTES', shape: [1], parameters: { binary_data_size: 4 } }] },
        Buffer.from([9, 0, 0, 0]),
      ),
      'outputs[0] ends within',
    ],
    [
      'half a length',
      withJson(
        { outputs: [{ name: 's', datatype: 'BYTES', shape: [1], parameters: { binary_data_size: 2 } }] },
        Buffer.from([9, 0]),
      ),
      'outputs[0] ends within',
    ],
  ])('is refused when it is %s', (_, answer, message) => {
    expect(() => decodeTritonAnswer(answer)).toThrow(
      expect.objectContaining({ code: 'BAD_GATEWAY', message: expect.stringContaining(message) }),
    );
  });

  it('is refused without the message of the container', () => {
    const outputs = [{ name: 'my secret', datatype: 'FP32', shape: [2], parameters: { binary_data_size: 9 } }];
    for (const answer of [{ ...good, contentType: 'text/my-secret' }, withJson({ outputs })]) {
      expect(() => decodeTritonAnswer(answer)).toThrow(
        expect.objectContaining({ message: expect.not.stringContaining('secret') }),
      );
    }
  });

  it('is read or refused as BAD_GATEWAY for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(60), (body, size) => {
        const contentType = `application/vnd.sagemaker-triton.binary+json;json-header-size=${size}`;
        expect(() => decodeTritonAnswer({ contentType, body })).toThrow(
          expect.objectContaining({ code: 'BAD_GATEWAY' }),
        );
      }),
    );
  });
});
