// biome-ignore-all lint/suspicious/noTemplateCurlyInString: placeholders of CloudFormation, IAM and API Gateway
import { describe, expect, it } from '@jest/globals';
import { resolveStacks } from '../../../local/template/resolve-stacks.ts';
import { stackOf } from '../fixture-app.ts';

const TABLE = { Type: 'AWS::DynamoDB::Table', Properties: { TableName: 'results' } };

function invalid(...words: readonly string[]) {
  return expect.objectContaining({
    code: 'TEMPLATE_INVALID',
    message: expect.stringMatching(new RegExp(words.join('.*'), 's')),
  });
}

describe('resolveStacks', () => {
  it('orders resources so that each comes after what it needs', () => {
    const stack = stackOf('S', {
      Last: { Type: 'T', DependsOn: ['Middle'] },
      Middle: { Type: 'T', Properties: { x: { Ref: 'First' } } },
      First: { Type: 'T' },
    });
    expect(resolveStacks([stack]).resources.map(({ logicalId }) => logicalId)).toEqual(['First', 'Middle', 'Last']);
  });

  it('carries exports from stack to stack', () => {
    const data = stackOf(
      'Data',
      { Table: TABLE },
      {
        Outputs: { Name: { Value: { 'Fn::GetAtt': ['Table', 'Arn'] }, Export: { Name: 'Data:Arn' } } },
      },
    );
    const api = stackOf('Api', { User: { Type: 'T', Properties: { arn: { 'Fn::ImportValue': 'Data:Arn' } } } });
    const user = resolveStacks([data, api]).resources.find(({ logicalId }) => logicalId === 'User');
    expect(user?.properties).toEqual({ arn: 'arn:aws:dynamodb:us-east-1:000000000000:table/results' });
  });

  it('carries outputs from stack to stack', () => {
    const output = { Value: { 'Fn::GetAtt': ['Table', 'Arn'] } };
    const data = stackOf('Data', { Table: TABLE }, { Outputs: { Name: output } });
    const reference = {
      'Fn::GetStackOutput': { StackName: 'Data', OutputName: 'Name', Region: { Ref: 'AWS::Region' } },
    };
    const api = stackOf('Api', { User: { Type: 'T', Properties: { arn: reference } } });
    const user = resolveStacks([data, api]).resources.find(({ logicalId }) => logicalId === 'User');
    expect(user?.properties).toEqual({ arn: 'arn:aws:dynamodb:us-east-1:000000000000:table/results' });
  });

  it('leaves out resources whose condition does not hold', () => {
    const conditions = {
      Never: { 'Fn::Equals': [{ Ref: 'AWS::Region' }, 'eu-central-1'] },
      Always: { 'Fn::Not': [{ Condition: 'Never' }] },
    };
    const stack = stackOf(
      'S',
      { A: { Type: 'T', Condition: 'Never' }, B: { Type: 'T', Condition: 'Always' } },
      { Conditions: conditions },
    );
    expect(resolveStacks([stack]).resources.map(({ logicalId }) => logicalId)).toEqual(['B']);
  });

  it('resolves pseudo parameters, parameters with a default and mappings', () => {
    const stack = stackOf(
      'S',
      {
        A: {
          Type: 'T',
          Properties: {
            where: {
              'Fn::Sub': '${AWS::Partition}/${AWS::Region}/${AWS::AccountId}/${AWS::StackName}/${AWS::URLSuffix}',
            },
            size: { 'Fn::FindInMap': ['Sizes', { Ref: 'Kind' }, 'mib'] },
          },
        },
      },
      { Parameters: { Kind: { Type: 'String', Default: 'small' } }, Mappings: { Sizes: { small: { mib: 128 } } } },
    );
    expect(resolveStacks([stack]).resources[0]?.properties).toEqual({
      where: 'aws/us-east-1/000000000000/S/amazonaws.com',
      size: 128,
    });
  });

  it('numbers versions of a function and names aliases after them', () => {
    const stack = stackOf('S', {
      Fn: { Type: 'AWS::Lambda::Function', Properties: { FunctionName: 'f' } },
      V1: { Type: 'AWS::Lambda::Version', Properties: { FunctionName: { Ref: 'Fn' } } },
      V2: { Type: 'AWS::Lambda::Version', Properties: { FunctionName: { Ref: 'Fn' } }, DependsOn: 'V1' },
      Live: {
        Type: 'AWS::Lambda::Alias',
        Properties: { FunctionName: { Ref: 'Fn' }, Name: 'live', FunctionVersion: { 'Fn::GetAtt': ['V2', 'Version'] } },
      },
    });
    const arn = 'arn:aws:lambda:us-east-1:000000000000:function:f';
    expect(resolveStacks([stack]).resources.map(({ ref }) => ref)).toEqual([
      'f',
      `${arn}:1`,
      `${arn}:2`,
      `${arn}:live`,
    ]);
  });

  it('invents attributes for resources that it does not run', () => {
    const stack = stackOf('S', {
      Topic: { Type: 'AWS::Kinesis::Stream' },
      User: {
        Type: 'T',
        Properties: { arn: { 'Fn::GetAtt': ['Topic', 'StreamArn'] }, id: { 'Fn::GetAtt': ['Topic', 'Id'] } },
      },
    });
    expect(resolveStacks([stack]).resources.at(-1)?.properties).toEqual({
      arn: 'arn:aws:kinesis:us-east-1:000000000000:S-Topic',
      id: 'S-Topic-Id',
    });
  });

  it.each([
    ['a reference to nothing', { A: { Type: 'T', Properties: { x: { Ref: 'Gone' } } } }, ['stack S refers to Gone']],
    ['an import of nothing', { A: { Type: 'T', Properties: { x: { 'Fn::ImportValue': 'No' } } } }, ['imports No']],
    [
      'an output of a stack that does not exist',
      { A: { Type: 'T', Properties: { x: { 'Fn::GetStackOutput': { StackName: 'Data', OutputName: 'No' } } } } },
      ['reads the output No of Data'],
    ],
    ['an unknown pseudo parameter', { A: { Type: 'T', Properties: { x: { Ref: 'AWS::Moon' } } } }, ['AWS::Moon']],
    ['a circle', { A: { Type: 'T', DependsOn: 'B' }, B: { Type: 'T', DependsOn: 'A' } }, ['A -> B -> A']],
    [
      'an attribute that a table has not',
      { Table: TABLE, A: { Type: 'T', Properties: { x: { 'Fn::GetAtt': ['Table', 'StreamArn'] } } } },
      ['Table', 'StreamArn'],
    ],
    ['an unknown condition', { A: { Type: 'T', Condition: 'Gone' } }, ['no condition Gone']],
  ])('fails with TEMPLATE_INVALID when there is %s', (_, resources, words) => {
    expect(() => resolveStacks([stackOf('S', resources)])).toThrow(invalid(...words));
  });

  it('fails with TEMPLATE_INVALID when a parameter has no default', () => {
    const stack = stackOf(
      'S',
      { A: { Type: 'T', Properties: { x: { Ref: 'P' } } } },
      { Parameters: { P: { Type: 'String' } } },
    );
    expect(() => resolveStacks([stack])).toThrow(invalid('parameter P without a default'));
  });
});
