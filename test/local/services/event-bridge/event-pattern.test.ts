import { describe, expect, it } from '@jest/globals';
import { compilePattern } from '../../../../local/services/event-bridge/event-pattern.ts';
import type { Json, JsonObject } from '../../../../local/template/json.ts';

const EVENT: JsonObject = {
  source: 'tensorgate.jobs',
  'detail-type': 'tensorgate.job.failed.v1',
  resources: ['arn:a', 'arn:b'],
  detail: {
    status: 'failed',
    attempts: 3,
    final: true,
    reason: null,
    nested: { model: { id: 'MiniLM' } },
    items: [{ id: 'a', size: 1 }, { id: 'b' }],
    empty: '',
  },
};

const matches = (pattern: Json): boolean => compilePattern(pattern)(EVENT);
const detail = (pattern: Json): boolean => matches({ detail: pattern });

describe('an event pattern', () => {
  it.each<[string, boolean, Json]>([
    ['one of the values', true, { status: ['succeeded', 'failed'] }],
    ['none of the values', false, { status: ['succeeded'] }],
    ['a number', true, { attempts: [3] }],
    ['a number as text', false, { attempts: ['3'] }],
    ['a truth value', true, { final: [true] }],
    ['null', true, { reason: [null] }],
    ['a value within', true, { nested: { model: { id: ['MiniLM'] } } }],
    ['a value within that is another', false, { nested: { model: { id: ['minilm'] } } }],
    ['several members', false, { status: ['failed'], attempts: [4] }],
    ['one element of a list of objects', true, { items: { id: ['b'] } }],
    ['prefix', true, { status: [{ prefix: 'fa' }] }],
    ['another prefix', false, { status: [{ prefix: 'ai' }] }],
    ['a prefix of a number', false, { attempts: [{ prefix: '3' }] }],
    ['suffix', true, { status: [{ suffix: 'led' }] }],
    ['equals-ignore-case', true, { nested: { model: { id: [{ 'equals-ignore-case': 'minilm' }] } } }],
    ['wildcard', true, { status: [{ wildcard: 'f*l*d' }] }],
    ['another wildcard', false, { status: [{ wildcard: 'f.*' }] }],
    ['anything-but another value', true, { status: [{ 'anything-but': 'succeeded' }] }],
    ['anything-but this value', false, { status: [{ 'anything-but': ['succeeded', 'failed'] }] }],
    ['anything-but a number', false, { attempts: [{ 'anything-but': [3] }] }],
    ['anything-but a prefix', false, { status: [{ 'anything-but': { prefix: 'fa' } }] }],
    ['anything-but another suffix', true, { status: [{ 'anything-but': { suffix: 'x' } }] }],
    ['anything-but of what is absent', false, { absent: [{ 'anything-but': 'x' }] }],
    ['numeric', true, { attempts: [{ numeric: ['>', 2, '<=', 3] }] }],
    ['numeric beyond', false, { attempts: [{ numeric: ['<', 3] }] }],
    ['numeric equality', true, { attempts: [{ numeric: ['=', 3] }] }],
    ['numeric of text', false, { status: [{ numeric: ['>=', 0] }] }],
    ['exists', true, { empty: [{ exists: true }] }],
    ['exists of what is absent', false, { absent: [{ exists: true }] }],
    ['absence', true, { absent: [{ exists: false }] }],
    ['absence of what is there', false, { status: [{ exists: false }] }],
    ['absence within what is absent', true, { absent: { within: [{ exists: false }] } }],
    ['one of several patterns', true, { $or: [{ status: ['succeeded'] }, { attempts: [{ numeric: ['>', 2] }] }] }],
    ['none of several patterns', false, { $or: [{ status: ['succeeded'] }, { attempts: [1] }] }],
    ['one of several operators', true, { status: [{ prefix: 'x' }, { suffix: 'd' }] }],
  ])('matches as in EventBridge for %s: %s', (_, expected, pattern) => {
    expect(detail(pattern)).toBe(expected);
  });

  it('judges lists by any of their elements, and every member beside detail', () => {
    expect(matches({ resources: ['arn:b', 'arn:c'] })).toBe(true);
    expect(matches({ resources: ['arn:c'] })).toBe(false);
    expect(matches({ source: ['tensorgate.jobs'], 'detail-type': [{ prefix: 'tensorgate.job.' }] })).toBe(true);
    expect(matches({ source: ['other'], 'detail-type': [{ prefix: 'tensorgate.job.' }] })).toBe(false);
  });

  it.each<[string, Json]>([
    ['an unknown operator', { status: [{ cidr: '10.0.0.0/8' }] }],
    ['two operators in one', { status: [{ prefix: 'a', suffix: 'b' }] }],
    ['an operator without text', { status: [{ prefix: 1 }] }],
    ['exists of text', { status: [{ exists: 'true' }] }],
    ['numeric without a number', { attempts: [{ numeric: ['>', '2'] }] }],
    ['numeric with an unknown comparison', { attempts: [{ numeric: ['!=', 2] }] }],
    ['numeric without anything', { attempts: [{ numeric: [] }] }],
    ['anything-but of exists', { status: [{ 'anything-but': { exists: true } }] }],
    ['a value outside of a list', { status: 'failed' }],
    ['an empty list', { status: [] }],
    ['a list in a list', { status: [['failed']] }],
    ['no members', { status: {} }],
    ['a choice of one', { $or: [{ status: ['failed'] }] }],
  ])('fails with TEMPLATE_INVALID when it has %s', (_, pattern) => {
    expect(() => detail(pattern)).toThrow(expect.objectContaining({ code: 'TEMPLATE_INVALID' }));
  });
});
