import { describe, expect, test } from '@jest/globals';
import * as v from 'valibot';
import { parse as parseYaml } from 'yaml';
import { key as described, objectOf, wholeNumber } from '../../core/parse.ts';
import { DESCRIBED_FILES, jsonSchemaOf } from '../../scripts/described-files.ts';
import { isSection, type JsonSchema, keysOf, renderReference } from '../../scripts/reference-page.ts';

const PAGES = DESCRIBED_FILES.filter(({ page }) => page !== undefined);

/** The schemas inside a schema, itself included. */
function* schemasIn(schema: object): Generator<v.GenericSchema> {
  if (!('~run' in schema)) return;
  yield schema as v.GenericSchema;
  const inner = schema as {
    entries?: object;
    options?: object[];
    pipe?: object[];
    wrapped?: object;
    item?: object;
    value?: object;
  };
  const nested = [
    ...Object.values(inner.entries ?? {}),
    ...(inner.options ?? []),
    inner.wrapped,
    inner.item,
    inner.value,
  ];
  for (const one of nested) if (typeof one === 'object' && one !== null) yield* schemasIn(one);
}

/** Examples that a schema itself refuses. */
function wrongExamples(schema: v.GenericSchema): unknown[] {
  return [...schemasIn(schema)].flatMap((one) => {
    const actions = 'pipe' in one ? (one.pipe as { type: string; examples?: unknown[] }[]) : [];
    const examples = actions.flatMap((action) => (action.type === 'examples' ? (action.examples ?? []) : []));
    return examples.filter((example) => !v.safeParse(one, example).success);
  });
}

describe.each(PAGES)('the keys of $title', (file) => {
  test('each have a description that is a sentence', () => {
    const without = keysOf(jsonSchemaOf(file)).filter(
      ({ schema }) => !/^[A-Z`].*[.)]$/s.test(schema.description ?? ''),
    );
    expect(without.map(({ path }) => path)).toEqual([]);
  });

  test('each have an example, unless their own keys have', () => {
    const without = keysOf(jsonSchemaOf(file)).filter(({ schema }) => !isSection(schema) && !schema.examples?.length);
    expect(without.map(({ path }) => path)).toEqual([]);
  });

  test('have examples that the schema accepts', () => {
    expect([...schemasIn(file.schema)].length).toBeGreaterThan(50);
    expect(wrongExamples(file.schema)).toEqual([]);
  });

  test('are used rightly in the example of the reference page', () => {
    const [, text = ''] = /^```yaml\n(.*?)^```/ms.exec(file.page?.introduction ?? '') ?? [];
    expect(v.safeParse(file.schema, parseYaml(text))).toMatchObject({ success: true });
  });
});

test('an example that the schema refuses is found', () => {
  const schema = objectOf({ a: described(v.optional(wholeNumber(1, 5), 3), 'A number.', 6) });
  expect(wrongExamples(schema)).toEqual([6]);
});

describe('a reference page', () => {
  const tiny: JsonSchema = {
    type: 'object',
    required: ['name'],
    properties: {
      name: { type: 'string', maxLength: 9, description: 'Name of a thing.', examples: ['one'] },
      plans: {
        description: 'Plans by name.',
        additionalProperties: { type: 'object', properties: { rate: { type: 'number', minimum: 1, maximum: 2 } } },
      },
      place: {
        description: 'Where it runs.',
        oneOf: [
          {
            type: 'object',
            properties: { at: { const: 'a' }, size: { type: 'integer', minimum: 1, maximum: 3, default: 2 } },
          },
          {
            type: 'object',
            properties: {
              at: { const: 'b' },
              size: { type: 'integer', minimum: 1, maximum: 3, default: 2 },
              fast: { type: 'boolean' },
            },
          },
        ],
      },
    },
  };

  test('has a table for each section, with keys of all variants before those of one', () => {
    expect(
      renderReference('a.yaml', 'About it.', tiny),
    ).toBe(`<!-- Generated from the schemas in core/ by scripts/generate-schemas.ts. Do not edit. -->

# a.yaml

About it.

## Keys

| key | value | default | |
| --- | --- | --- | --- |
| \`name\` | text of at most 9 characters | required | Name of a thing. Example: \`one\`. |
| \`plans\` | [section](#plansplan) for each plan |  | Plans by name. |
| \`place\` | [section](#place) |  | Where it runs. |

## plans.&lt;plan&gt;

Plans by name.

| key | value | default | |
| --- | --- | --- | --- |
| \`rate\` | number from 1 to 2 |  |  |

## place

Where it runs.

| key | value | default | |
| --- | --- | --- | --- |
| \`at\` | \`a\` or \`b\` |  |  |
| \`size\` | whole number from 1 to 3 | \`2\` |  |

## place, at: b

| key | value | default | |
| --- | --- | --- | --- |
| \`fast\` | \`true\` or \`false\` |  |  |
`);
  });
});
