import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { AppError } from '../../../../core/errors.ts';
import { PROTOBUF_MEDIA_TYPE } from '../../../../core/protocols/open-inference/media-types.ts';
import { decodeProtobufInfer, encodeProtobufInfer } from '../../../../core/protocols/open-inference/protobuf.ts';

const TARGET = { modelName: 'm', modelVersion: '1', inputs: [] };

const decode = (hex: string) => decodeProtobufInfer(Buffer.from(hex, 'hex'), TARGET);

/** Messages that Python's protobuf 6 wrote from the classes of tritonclient 2.73. */
const RAW =
  '0a016d1a0137220e0a0164120921000000000000e03f22070a01661202080122100a016e120b10fdffffffffffffffff0122100a0175120b28ffffffffffffffffff012a0d0a01781204465033321a0202022a240a0173120542595445531a010122150a0c636f6e74656e745f7479706512051a0373747232190a017912140a0e636c617373696669636174696f6e120210023a100000c03f000000c0000000000000807f3a0602000000c3a9';
const CONTENTS =
  '1201312a120a01621204424f4f4c1a01022a040a0201002a1c0a0269381204494e54381a01022a0d120b80ffffffffffffffff017f2a260a036936341205494e5436341a01022a151a1380808080808080808001ffffffffffffffff7f2a140a027538120555494e54381a01012a042202ff012a1e0a03753634120655494e5436341a01012a0c2a0affffffffffffffffff012a190a01661204465033321a0202012a0a32080000c03f0000c07f2a180a01641204465036341a01012a0a3a089a9999999999b93f2a150a0173120542595445531a01022a064202c3a942002a100a046e6f6e651204465033321a020003';

describe('a ModelInferRequest', () => {
  it('is read with raw contents and parameters of every kind', () => {
    const request = decode(RAW);
    expect(request).toMatchObject({
      id: '7',
      parameters: { n: -3, f: true, d: 0.5, u: 2n ** 64n - 1n },
      outputs: [{ name: 'y', classes: 2 }],
    });
    expect(request.inputs.get('x')).toMatchObject({
      datatype: 'FP32',
      shape: [2, 2],
      data: Float32Array.of(1.5, -2, 0, Number.POSITIVE_INFINITY),
    });
    expect(request.inputs.get('s')).toMatchObject({ data: ['é'], parameters: { content_type: 'str' } });
  });

  it('is read with typed contents of every kind', () => {
    const { inputs, outputs } = decode(CONTENTS);
    expect(outputs).toBeUndefined();
    expect(Object.fromEntries([...inputs].map(([name, { data }]) => [name, data]))).toEqual({
      b: Uint8Array.of(1, 0),
      i8: Int8Array.of(-128, 127),
      i64: BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n),
      u8: Uint8Array.of(255),
      u64: BigUint64Array.of(2n ** 64n - 1n),
      f: Float32Array.of(1.5, Number.NaN),
      d: Float64Array.of(0.1),
      s: ['é', ''],
      none: new Float32Array(),
    });
  });

  it('is read with unpacked contents and unknown fields', () => {
    // Field 15 of the request; shape 2; fp32_contents 1.0 and 2.0 one by one.
    const input = '0a0178120446503332180230012a0a350000803f3500000040';
    const bytes = `7801${'2a'}${(input.length / 2).toString(16).padStart(2, '0')}${input}`;
    expect(decode(bytes).inputs.get('x')).toMatchObject({ shape: [2], data: Float32Array.of(1, 2) });
  });

  it.each([
    ['ff', 'INVALID_BODY', 'body is not a ModelInferRequest of Protocol Buffers: it ends too early'],
    ['0a05', 'INVALID_BODY', 'it ends too early'],
    ['0b', 'INVALID_BODY', 'it holds a field 1 of an unknown wire type'],
    ['0001', 'INVALID_BODY', 'it holds a field of an impossible number'],
    ['0801', 'INVALID_BODY', 'it holds a field 1 of another type'],
    ['78ffffffffffffffffffffff', 'INVALID_BODY', 'it holds an integer of more than 64 bits'],
    ['0affffffffffffffffff01', 'INVALID_BODY', 'it ends too early'],
    ['0a01c3', 'INVALID_ENCODING', 'not UTF-8'],
    ['0a0178', 'INVALID_PARAMETER', 'model_name must be m, as the path names it, or empty'],
    ['120132', 'INVALID_PARAMETER', 'model_version must be 1'],
    ['3a00', 'INVALID_TENSOR', 'raw_input_contents holds 1 tensors, there are 0 inputs'],
    ['2a050a03626f6f', 'INVALID_TENSOR', 'inputs[0].datatype must be one of'],
    ['2a0a1204465033321a0201ff', 'INVALID_BODY', 'ends too early'],
    ['2a0b12044650333218ffff', 'INVALID_BODY', 'ends too early'],
    ['2a131204465033321affffffffffffffffff01', 'INVALID_BODY', 'ends too early'],
    ['2a0d1204465031361a01012a023200', 'INVALID_TENSOR', 'inputs[0] is FP16, which must be sent as raw_input_contents'],
    ['2a0f1204465033321a01012a0432020000', 'INVALID_TENSOR', 'inputs[0].contents has 2 bytes'],
    ['2a0f1204494e54381a01012a04120280ff', 'INVALID_BODY', 'ends too early'],
    ['2a0e1204494e54381a01012a0312018001', 'INVALID_BODY', ''],
    ['2a091204465033321a01013a0100', 'INVALID_TENSOR', 'inputs[0] has 1 bytes, FP32 of the shape [1] needs 4'],
  ])('is refused when it is %s', (hex, code, message) => {
    expect(() => decode(hex)).toThrow(expect.objectContaining({ code, message: expect.stringContaining(message) }));
  });

  it('is read or refused for any bytes', () => {
    const known = [RAW, CONTENTS].map((hex) => Buffer.from(hex, 'hex'));
    const mutated = fc
      .tuple(
        fc.constantFrom(...known),
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 6 }),
      )
      .map(([bytes, changes]) => {
        const copy = Uint8Array.from(bytes);
        for (const [place, value] of changes) copy[place % copy.length] = value;
        return copy;
      });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 60 }), mutated), (bytes) => {
        try {
          decodeProtobufInfer(bytes, TARGET);
        } catch (error) {
          expect(error).toBeInstanceOf(AppError);
          expect((error as AppError).status).toBe(400);
        }
      }),
      { numRuns: 3000 },
    );
  });
});

describe('a ModelInferResponse', () => {
  it('is what Python writes for the same response', () => {
    const outputs = [
      { name: 'y', datatype: 'FP32', shape: [2, 300], parts: [Uint8Array.of(1, 2), Uint8Array.of(3, 4)] },
      { name: 's', datatype: 'BYTES', shape: [1], parts: [['é']] },
    ] as const;
    const { mediaType, body } = encodeProtobufInfer({ modelName: 'm', modelVersion: '1', id: '7', outputs });
    expect(mediaType).toBe(PROTOBUF_MEDIA_TYPE);
    expect(Buffer.from(body as Uint8Array).toString('hex')).toBe(
      '0a016d1201311a01372a0e0a01791204465033321a0302ac022a0d0a0173120542595445531a0101320401020304320602000000c3a9',
    );
  });
});
