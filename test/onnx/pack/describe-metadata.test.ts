import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from '@jest/globals';
import { makeNode } from '../../../onnx/format/graph.ts';
import { StringStringEntryProtoSchema } from '../../../onnx/format/onnx-messages.ts';
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
