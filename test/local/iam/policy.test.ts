// biome-ignore-all lint/suspicious/noTemplateCurlyInString: placeholders of CloudFormation, IAM and API Gateway
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { ConditionContext } from '../../../local/iam/conditions.ts';
import { compilePolicies, type Verdict } from '../../../local/iam/policy.ts';

const TABLE = 'arn:aws:dynamodb:us-east-1:000000000000:table/results';
const GET = { action: 'dynamodb:GetItem', resource: TABLE };

function judge(statement: unknown, request = GET): Verdict {
  return compilePolicies([{ Version: '2012-10-17', Statement: statement }])(request);
}

describe('compilePolicies', () => {
  it.each<[string, object, Verdict]>([
    ['the very action and resource', { Effect: 'Allow', Action: 'dynamodb:GetItem', Resource: TABLE }, 'allowed'],
    ['an action in other case', { Effect: 'Allow', Action: 'DynamoDB:getitem', Resource: '*' }, 'allowed'],
    ['a pattern of actions', { Effect: 'Allow', Action: ['s3:*', 'dynamodb:Get*'], Resource: '*' }, 'allowed'],
    ['a question mark', { Effect: 'Allow', Action: 'dynamodb:?etItem', Resource: '*' }, 'allowed'],
    ['another action', { Effect: 'Allow', Action: 'dynamodb:PutItem', Resource: '*' }, 'not allowed'],
    ['another resource', { Effect: 'Allow', Action: '*', Resource: `${TABLE}2` }, 'not allowed'],
    ['a resource in other case', { Effect: 'Allow', Action: '*', Resource: TABLE.toUpperCase() }, 'not allowed'],
    ['its indexes only', { Effect: 'Allow', Action: '*', Resource: `${TABLE}/index/*` }, 'not allowed'],
    ['every action but this', { Effect: 'Allow', NotAction: 'dynamodb:GetItem', Resource: '*' }, 'not allowed'],
    ['every action but others', { Effect: 'Allow', NotAction: 's3:*', Resource: '*' }, 'allowed'],
    ['every resource but this', { Effect: 'Allow', Action: '*', NotResource: TABLE }, 'not allowed'],
    ['a dot that is not a wildcard', { Effect: 'Allow', Action: 'dynamodb.GetItem', Resource: '*' }, 'not allowed'],
  ])('judges a grant of %s', (_, statement, verdict) => {
    expect(judge([statement])).toBe(verdict);
  });

  it('accepts a single statement without a list', () => {
    expect(judge({ Effect: 'Allow', Action: '*', Resource: '*' })).toBe('allowed');
  });

  it('allows nothing without a policy', () => {
    expect(compilePolicies([])(GET)).toBe('not allowed');
  });

  it.each<[string, object, ConditionContext, boolean]>([
    ['StringEquals', { StringEquals: { 'aws:k': ['a', 'b'] } }, { 'aws:k': 'b' }, true],
    ['StringEquals without the key', { StringEquals: { 'aws:k': 'a' } }, {}, false],
    ['StringEqualsIfExists without the key', { StringEqualsIfExists: { 'aws:k': 'a' } }, {}, true],
    ['StringEquals on keys in other case', { StringEquals: { 'AWS:K': 'a' } }, { 'aws:k': 'a' }, true],
    ['StringNotEquals', { StringNotEquals: { 'aws:k': ['a', 'b'] } }, { 'aws:k': 'b' }, false],
    ['StringNotEquals without the key', { StringNotEquals: { 'aws:k': 'a' } }, {}, true],
    ['StringEqualsIgnoreCase', { StringEqualsIgnoreCase: { 'aws:k': 'A' } }, { 'aws:k': 'a' }, true],
    ['StringLike', { StringLike: { 'aws:k': 'a*c' } }, { 'aws:k': 'abc' }, true],
    ['StringNotLike', { StringNotLike: { 'aws:k': 'a*' } }, { 'aws:k': 'abc' }, false],
    ['ArnLike', { ArnLike: { 'aws:k': 'arn:aws:s3:::*' } }, { 'aws:k': 'arn:aws:s3:::b' }, true],
    ['Bool', { Bool: { 'aws:k': 'true' } }, { 'aws:k': 'true' }, true],
    ['Bool that differs', { Bool: { 'aws:k': true } }, { 'aws:k': 'false' }, false],
    ['NumericLessThan', { NumericLessThan: { 'aws:k': '10' } }, { 'aws:k': '9' }, true],
    ['NumericGreaterThanEquals', { NumericGreaterThanEquals: { 'aws:k': 10 } }, { 'aws:k': '9' }, false],
    ['DateLessThan', { DateLessThan: { 'aws:k': '2027-01-01T00:00:00Z' } }, { 'aws:k': '2026-01-01T00:00:00Z' }, true],
    ['ForAllValues', { 'ForAllValues:StringLike': { 'aws:k': ['a*', 'b*'] } }, { 'aws:k': ['a1', 'b1'] }, true],
    [
      'ForAllValues of which one fails',
      { 'ForAllValues:StringLike': { 'aws:k': 'a*' } },
      { 'aws:k': ['a', 'b'] },
      false,
    ],
    ['ForAllValues without the key', { 'ForAllValues:StringLike': { 'aws:k': 'a*' } }, {}, true],
    ['ForAnyValue', { 'ForAnyValue:StringEquals': { 'aws:k': 'b' } }, { 'aws:k': ['a', 'b'] }, true],
    ['ForAnyValue without the key', { 'ForAnyValue:StringEquals': { 'aws:k': 'b' } }, {}, false],
    ['Null true', { Null: { 'aws:k': 'true' } }, {}, true],
    ['Null false', { Null: { 'aws:k': 'false' } }, {}, false],
    [
      'two operators of which one fails',
      { StringEquals: { 'aws:k': 'a' }, Bool: { 'aws:b': 'true' } },
      { 'aws:k': 'a', 'aws:b': 'false' },
      false,
    ],
  ])('judges the condition %s', (_, condition, context, holds) => {
    const policy = { Statement: { Effect: 'Allow', Action: '*', Resource: '*', Condition: condition } };
    expect(compilePolicies([policy])({ ...GET, context })).toBe(holds ? 'allowed' : 'not allowed');
  });

  it.each<[string, object]>([
    [
      'an operator it does not know',
      { Effect: 'Allow', Action: '*', Resource: '*', Condition: { BinaryEquals: { a: 'b' } } },
    ],
    [
      'an operator that is not an object',
      { Effect: 'Allow', Action: '*', Resource: '*', Condition: { StringEquals: 'x' } },
    ],
    ['a policy variable', { Effect: 'Allow', Action: '*', Resource: 'arn:aws:s3:::b/${aws:username}' }],
    ['a principal', { Effect: 'Allow', Action: '*', Resource: '*', Principal: '*' }],
    ['no action', { Effect: 'Allow', Resource: '*' }],
    ['no resource', { Effect: 'Allow', Action: '*' }],
    ['an effect it does not know', { Effect: 'Maybe', Action: '*', Resource: '*' }],
  ])('fails with TEMPLATE_INVALID when a policy has %s', (_, statement) => {
    expect(() => judge([statement])).toThrow(expect.objectContaining({ code: 'TEMPLATE_INVALID' }));
  });
});

describe('any set of policies', () => {
  const action = fc.constantFrom('dynamodb:GetItem', 'dynamodb:*', 's3:GetObject', '*', 'dynamodb:Put*');
  const resource = fc.constantFrom(TABLE, '*', `${TABLE}*`, 'arn:aws:s3:::b');
  const statement = fc.record({ Effect: fc.constantFrom('Allow', 'Deny'), Action: action, Resource: resource });
  const statements = fc.array(statement, { maxLength: 8 });

  it('denies explicitly whatever a matching Deny is added to', () => {
    fc.assert(
      fc.property(statements, (list) => {
        expect(judge([...list, { Effect: 'Deny', Action: GET.action, Resource: TABLE }])).toBe('explicitly denied');
      }),
    );
  });

  it('never allows more when a grant is taken away', () => {
    fc.assert(
      fc.property(statements, fc.nat(7), (list, index) => {
        const fewer = list[index]?.Effect === 'Allow' ? list.toSpliced(index, 1) : list;
        expect([judge(list), judge(fewer)]).not.toEqual(['not allowed', 'allowed']);
        expect([judge(list), judge(fewer)]).not.toEqual(['explicitly denied', 'allowed']);
      }),
    );
  });

  it('does not depend on the order of statements or on their distribution over policies', () => {
    fc.assert(
      fc.property(statements, (list) => {
        const spread = compilePolicies(list.map((one) => ({ Statement: [one] })));
        expect(judge(list.toReversed())).toBe(judge(list));
        expect(spread(GET)).toBe(judge(list));
      }),
    );
  });
});
