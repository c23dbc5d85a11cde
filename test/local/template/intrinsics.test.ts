// biome-ignore-all lint/suspicious/noTemplateCurlyInString: placeholders of CloudFormation, IAM and API Gateway
import { describe, expect, it } from '@jest/globals';
import { references, resolve, type Scope } from '../../../local/template/intrinsics.ts';
import type { Json } from '../../../local/template/json.ts';

const scope: Scope = {
  ref: (name) => (name === 'AWS::NoValue' ? undefined : name === 'List' ? ['a', 'b'] : `ref-${name}`),
  attribute: (logicalId, attribute) => `${logicalId}/${attribute}`,
  imported: (name) => `imported-${name}`,
  output: (...path) => path.join('/'),
  mapped: (...path) => path.join('+'),
  holds: (condition) => condition === 'Yes',
};

describe('resolve', () => {
  it.each<[string, Json, Json]>([
    ['plain values as they are', { a: [1, 'x', null, true] }, { a: [1, 'x', null, true] }],
    ['Ref', { Ref: 'Table' }, 'ref-Table'],
    ['Fn::GetAtt as a list', { 'Fn::GetAtt': ['Role', 'Arn'] }, 'Role/Arn'],
    ['Fn::GetAtt as text', { 'Fn::GetAtt': 'Role.Nested.Arn' }, 'Role/Nested.Arn'],
    ['Fn::Join', { 'Fn::Join': ['-', ['a', { Ref: 'B' }, 3]] }, 'a-ref-B-3'],
    ['Fn::Join over a list that is a value', { 'Fn::Join': [',', { Ref: 'List' }] }, 'a,b'],
    ['Fn::Sub', { 'Fn::Sub': 'x-${A}-${B.Arn}-${!literal}' }, 'x-ref-A-B/Arn-${literal}'],
    ['Fn::Sub with variables', { 'Fn::Sub': ['${v}:${A}', { v: { Ref: 'V' } }] }, 'ref-V:ref-A'],
    ['Fn::Select', { 'Fn::Select': ['1', ['a', 'b']] }, 'b'],
    ['Fn::Split', { 'Fn::Split': [':', 'a:b'] }, ['a', 'b']],
    ['Fn::Select of Fn::Split', { 'Fn::Select': [2, { 'Fn::Split': [':', 'a:b:c'] }] }, 'c'],
    ['Fn::If that holds', { 'Fn::If': ['Yes', 'then', 'else'] }, 'then'],
    ['Fn::If that does not hold', { 'Fn::If': ['No', 'then', { Ref: 'E' }] }, 'ref-E'],
    ['Fn::Equals', { 'Fn::Equals': [{ Ref: 'A' }, 'ref-A'] }, true],
    [
      'Fn::And, Fn::Or, Fn::Not',
      { 'Fn::And': [{ 'Fn::Or': [{ Condition: 'No' }, { Condition: 'Yes' }] }, { 'Fn::Not': [{ Condition: 'No' }] }] },
      true,
    ],
    ['Fn::ImportValue', { 'Fn::ImportValue': { 'Fn::Sub': '${A}:x' } }, 'imported-ref-A:x'],
    [
      'Fn::GetStackOutput',
      { 'Fn::GetStackOutput': { StackName: { Ref: 'Data' }, OutputName: 'Name', Region: { Ref: 'AWS::Region' } } },
      'ref-Data/Name',
    ],
    ['Fn::FindInMap', { 'Fn::FindInMap': ['M', { Ref: 'A' }, 's'] }, 'M+ref-A+s'],
    ['Fn::Base64', { 'Fn::Base64': 'hello' }, 'aGVsbG8='],
    [
      'members without a value by leaving them out',
      { a: { Ref: 'AWS::NoValue' }, b: [{ Ref: 'AWS::NoValue' }, 1] },
      { b: [1] },
    ],
    [
      'an IAM Condition as a plain member',
      { Condition: { StringEquals: { k: { Ref: 'A' } } } },
      { Condition: { StringEquals: { k: 'ref-A' } } },
    ],
  ])('resolves %s', (_, value, expected) => {
    expect(resolve(value, scope)).toEqual(expected);
  });

  it.each<[string, Json]>([
    ['a function it does not know', { 'Fn::Cidr': ['10.0.0.0/8', 2, 3] }],
    ['a selection beyond the list', { 'Fn::Select': [5, ['a']] }],
    ['a join of objects', { 'Fn::Join': ['', [{ a: 1 }]] }],
    ['a join without parts', { 'Fn::Join': [''] }],
    ['a split of nothing', { 'Fn::Split': [':', { Ref: 'AWS::NoValue' }] }],
    ['an output of a stack without a name', { 'Fn::GetStackOutput': { StackName: 'Data' } }],
    ['an output of a stack as text', { 'Fn::GetStackOutput': 'Data.Name' }],
    ['a condition without branches', { 'Fn::If': ['Yes'] }],
  ])('fails with TEMPLATE_INVALID when the template has %s', (_, value) => {
    expect(() => resolve(value, scope)).toThrow(expect.objectContaining({ code: 'TEMPLATE_INVALID' }));
  });
});

describe('references', () => {
  it('finds every logical id that a value needs', () => {
    const value: Json = [
      { Ref: 'A' },
      { Ref: 'AWS::Region' },
      { 'Fn::GetAtt': ['B', 'Arn'] },
      { 'Fn::GetAtt': 'C.Arn' },
      { 'Fn::Sub': '${D}${E.Arn}${!F}${AWS::Region}' },
      { deep: { 'Fn::Sub': ['${v}', { v: { Ref: 'G' } }] } },
    ];
    expect([...references(value)].filter((name) => name !== 'v').sort()).toEqual(['A', 'B', 'C', 'D', 'E', 'G']);
  });
});
