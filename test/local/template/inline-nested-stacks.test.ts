// biome-ignore-all lint/suspicious/noTemplateCurlyInString: placeholders of CloudFormation
import { describe, expect, test } from '@jest/globals';
import { inlineNestedStacks, NESTED_STACK } from '../../../local/template/inline-nested-stacks.ts';
import type { JsonObject } from '../../../local/template/json.ts';
import type { Template, TemplateResource } from '../../../local/template/template.ts';

function template(sections: Partial<Template>): Template {
  return { Resources: {}, Outputs: {}, Parameters: {}, Mappings: {}, Conditions: {}, ...sections };
}

function thing(Properties: JsonObject, others: Partial<TemplateResource> = {}): TemplateResource {
  return { Type: 'Test::Thing', Properties, ...others };
}

function stack(Parameters: JsonObject, others: Partial<TemplateResource> = {}): TemplateResource {
  return { Type: NESTED_STACK, Properties: { Parameters }, ...others };
}

describe('inlineNestedStacks', () => {
  test('leaves a template without nested stacks as it is', () => {
    const plain = template({ Resources: { A: thing({}) } });
    expect(inlineNestedStacks(plain, new Map())).toBe(plain);
  });

  test('replaces parameters by values of the parent, and outputs by values of the nested stack', () => {
    const inner = template({
      Parameters: { Api: { Type: 'String' }, Size: { Type: 'Number', Default: 3 } },
      Resources: { Fn: thing({ api: { Ref: 'Api' }, size: { Ref: 'Size' }, region: { Ref: 'AWS::Region' } }) },
      Outputs: { Arn: { Value: { 'Fn::GetAtt': ['Fn', 'Arn'] } } },
    });
    const outer = template({
      Resources: {
        Api: thing({}),
        Model: stack({ Api: { Ref: 'Api' } }),
        Method: thing({ uri: { 'Fn::Join': ['', ['x', { 'Fn::GetAtt': ['Model', 'Outputs.Arn'] }]] } }),
      },
      Outputs: { Fn: { Value: { 'Fn::GetAtt': ['Model', 'Outputs.Arn'] } } },
    });
    const { Resources, Outputs } = inlineNestedStacks(outer, new Map([['Model', inner]]));
    expect(Object.keys(Resources)).toEqual(['Api', 'Method', 'ModelFn']);
    expect(Resources['ModelFn']?.Properties).toEqual({ api: { Ref: 'Api' }, size: 3, region: { Ref: 'AWS::Region' } });
    const arn = { 'Fn::GetAtt': ['ModelFn', 'Arn'] };
    expect(Resources['Method']?.Properties).toEqual({ uri: { 'Fn::Join': ['', ['x', arn]] } });
    expect(Outputs['Fn']).toEqual({ Value: arn });
  });

  test('passes a value from one nested stack to another', () => {
    const one = template({ Resources: { R: thing({}) }, Outputs: { O: { Value: { Ref: 'R' } } } });
    const two = template({ Parameters: { P: {} }, Resources: { R: thing({ other: { Ref: 'P' } }) } });
    const outer = template({
      Resources: { One: stack({}), Two: stack({ P: { 'Fn::GetAtt': ['One', 'Outputs.O'] } }) },
    });
    const { Resources } = inlineNestedStacks(outer, new Map(Object.entries({ One: one, Two: two })));
    expect(Resources['TwoR']?.Properties).toEqual({ other: { Ref: 'OneR' } });
  });

  test('keeps the order of dependencies: one on a nested stack is one on all of its resources', () => {
    const inner = template({ Resources: { A: thing({}), B: thing({}, { DependsOn: 'A' }) } });
    const outer = template({
      Resources: {
        First: thing({}),
        Model: stack({}, { DependsOn: ['First'] }),
        Last: thing({}, { DependsOn: 'Model' }),
      },
    });
    const { Resources } = inlineNestedStacks(outer, new Map([['Model', inner]]));
    expect(Resources['Last']?.DependsOn).toEqual(['ModelA', 'ModelB']);
    expect(Resources['ModelB']?.DependsOn).toEqual(['ModelA', 'First']);
  });

  test('renames what Fn::Sub, Fn::If, Fn::FindInMap and conditions refer to', () => {
    const inner = template({
      Parameters: { Name: {} },
      Mappings: { Sizes: { small: { cpu: 1 } } },
      Conditions: { Big: { 'Fn::Equals': [{ Ref: 'Name' }, 'x'] }, Both: { 'Fn::And': [{ Condition: 'Big' }] } },
      Resources: {
        R: thing(
          {
            text: { 'Fn::Sub': '${Name}-${R}-${R.Arn}-${AWS::Region}-${!Literal}' },
            own: { 'Fn::Sub': ['${Own}', { Own: { Ref: 'Name' } }] },
            chosen: { 'Fn::If': ['Big', { Ref: 'Name' }, 'no'] },
            size: { 'Fn::FindInMap': ['Sizes', 'small', 'cpu'] },
            dotted: { 'Fn::GetAtt': 'R.Arn' },
          },
          { Condition: 'Both' },
        ),
      },
    });
    const outer = template({ Resources: { Model: stack({ Name: 'y' }) } });
    const { Resources, Conditions, Mappings } = inlineNestedStacks(outer, new Map([['Model', inner]]));
    expect(Resources['ModelR']).toMatchObject({
      Condition: 'ModelBoth',
      Properties: {
        text: { 'Fn::Sub': ['${Name}-${ModelR}-${ModelR.Arn}-${AWS::Region}-${!Literal}', { Name: 'y' }] },
        own: { 'Fn::Sub': ['${Own}', { Own: 'y' }] },
        chosen: { 'Fn::If': ['ModelBig', 'y', 'no'] },
        size: { 'Fn::FindInMap': ['ModelSizes', 'small', 'cpu'] },
        dotted: { 'Fn::GetAtt': ['ModelR', 'Arn'] },
      },
    });
    expect(Conditions).toEqual({
      ModelBig: { 'Fn::Equals': ['y', 'x'] },
      ModelBoth: { 'Fn::And': [{ Condition: 'ModelBig' }] },
    });
    expect(Mappings).toEqual({ ModelSizes: { small: { cpu: 1 } } });
  });
});
