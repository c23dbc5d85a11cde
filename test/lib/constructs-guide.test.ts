import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';

const GUIDE = readFileSync('docs/constructs.md', 'utf8');

/** Documented members of every exported interface of settings, with their comments. */
const SETTINGS = readdirSync('lib', { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .flatMap((file) => [
    ...readFileSync(`lib/${file}`, 'utf8').matchAll(
      /^export interface (\w+(?:Props|Settings|Options))\b.*?\{\n(.*?)^\}/gms,
    ),
  ])
  .filter(([, name]) => name !== 'ResolvedApiSettings')
  .flatMap(([, name, body]) =>
    [...(body ?? '').matchAll(/\/\*\*(.*?)\*\/\s*(readonly )?(\w+)(\?)?:/gs)].map(
      ([, comment, readonly, member, optional]) => ({ name, member, comment, readonly, optional }),
    ),
  );

const PUBLIC = SETTINGS.filter(({ name }) =>
  /^(InferenceApi|ModelFunction|ResultsTable|Jobs|JobsTable|WebhooksTable|PayloadBucket|ApiStack|DataStack|JobsStack|Model|Api|UsagePlan)(Props|Settings|Options)$/.test(
    name ?? '',
  ),
);

describe('settings', () => {
  it.each(SETTINGS)('$name.$member is read-only, and says its default when it is optional', (setting) => {
    expect(setting.readonly).toBe('readonly ');
    expect(/@default \S/.test(setting.comment ?? '')).toBe(setting.optional !== undefined);
  });

  it.each(PUBLIC)('$name.$member is in docs/constructs.md', ({ member }) => {
    expect(GUIDE).toContain(`\`${member}\``);
  });
});
