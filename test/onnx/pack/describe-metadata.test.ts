import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from '@jest/globals';
import { prepareToServe } from '../../../onnx/convert/prepare-to-serve.ts';
import { makeNode } from '../../../onnx/format/graph.ts';
import { AttributeProtoSchema, StringStringEntryProtoSchema } from '../../../onnx/format/onnx-messages.ts';
import { describeMetadata } from '../../../onnx/pack/describe-metadata.ts';
import { smallEncoder, smallModel, value } from '../small-models.ts';

function withProperties(properties: Readonly<Record<string, string>>) {
  const model = smallModel({
    nodes: [makeNode('Relu', 'r', ['x'], ['y'])],
    inputs: [value('x', [2])],
    outputs: [value('y', [2])],
  });
  model.metadataProps = Object.entries(properties).map(([key, text]) =>
    create(StringStringEntryProtoSchema, { key, value: text }),
  );
  return model;
}

describe('describeMetadata', () => {
  it('names the dimensions that have names', () => {
    expect(describeMetadata(smallEncoder())?.tensors).toContainEqual({
      name: 'last_hidden_state',
      dimensions: ['batch', 'length', 16],
    });
  });

  it('names the classes of a map that became a matrix, and the dimensions of the matrix', () => {
    const labels = create(AttributeProtoSchema, {
      name: 'classlabels_strings',
      strings: ['cat', 'dog'].map((text) => new TextEncoder().encode(text)),
    });
    const zipMap = Object.assign(makeNode('ZipMap', 'zip', ['x'], ['p'], [labels]), { domain: 'ai.onnx.ml' });
    const exported = smallModel({ nodes: [zipMap], inputs: [value('x', ['rows', 2])], outputs: [value('p', [])] });
    const { model } = prepareToServe(exported, 'm.onnx');
    expect(describeMetadata(model, exported)?.tensors).toContainEqual({
      name: 'p',
      dimensions: ['rows', 2],
      labels: ['cat', 'dog'],
    });
  });

  it('is undefined for a file that names nothing', () => {
    expect(describeMetadata(withProperties({}))).toBeUndefined();
  });

  it('keeps properties, and names those that are too large', () => {
    const properties = { names: "{0: 'cat'}", alphabet: 'あ'.repeat(6_000), stride: '32' };
    expect(describeMetadata(withProperties(properties))).toEqual({
      tensors: [],
      properties: { names: "{0: 'cat'}", stride: '32' },
      omitted: ['alphabet'],
    });
  });
});
