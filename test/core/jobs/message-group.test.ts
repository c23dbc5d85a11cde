import { expect, it } from '@jest/globals';
import { groupOfCopy, groupOfTenant } from '../../../core/jobs/message-group.ts';

it('a copy keeps the group of its message', () => {
  expect(groupOfCopy({ group: 'acme', body: '{"owner":"other"}' })).toBe('acme');
});

it('a copy of a text that names no tenant has no group', () => {
  expect(
    ['not json', '[]', 'null', '{"owner":7}', '{"owner":""}'].map((body) => groupOfCopy({ group: undefined, body })),
  ).toEqual(Array(5).fill(undefined));
});

it.each(['acme', '1a2b3c4d5e', 'a'.repeat(128)])('a tenant whose id SQS accepts is its own group: %s', (tenant) => {
  expect(groupOfTenant(tenant)).toBe(tenant);
});

it.each(['', 'a b', 'ünï', 'a'.repeat(129), 'a\n'])('a tenant with another id has a group of its own: %j', (tenant) => {
  expect(groupOfTenant(tenant)).toMatch(/^~[!-~]{0,127}$/);
});

it('tenants with similar ids have different groups', () => {
  const tenants = ['a b', 'a%20b', 'a\tb', 'ab', 'ä'];
  expect(new Set(tenants.map(groupOfTenant)).size).toBe(tenants.length);
});
