import * as v from 'valibot';
import { AppError } from '../../core/errors.ts';
import type { Resource } from './resolve-stacks.ts';

/** A number that CloudFormation may also give as text. */
export const cfnNumber = v.pipe(
  v.union([v.number(), v.pipe(v.string(), v.regex(/^-?\d+(\.\d+)?$/, 'must be a number'), v.transform(Number))]),
  v.number(),
);

/** A truth value that CloudFormation may also give as text. */
export const cfnBoolean = v.pipe(
  v.union([
    v.boolean(),
    v.pipe(
      v.picklist(['true', 'false']),
      v.transform((word) => word === 'true'),
    ),
  ]),
  v.boolean(),
);

/** Names mapped to text. */
export const cfnTexts = v.record(
  v.string(),
  v.pipe(v.union([v.string(), v.number(), v.boolean()]), v.transform(String)),
);

/**
 * Reads the properties of a resource that local mode acts on; what the schema does not name has no meaning here.
 *
 * @throws AppError `TEMPLATE_INVALID` that lists all problems.
 */
export function readProperties<S extends v.GenericSchema>(resource: Resource, schema: S): v.InferOutput<S> {
  const result = v.safeParse(schema, resource.properties);
  if (result.success) return result.output;
  const lines = result.issues.map((issue) => `  ${v.getDotPath(issue) ?? '(root)'}: ${issue.message}`);
  throw new AppError(
    'TEMPLATE_INVALID',
    `${resource.stack}/${resource.logicalId} (${resource.type}) cannot be run:\n${lines.join('\n')}`,
  );
}

/** Resources of one type. */
export function ofType(resources: readonly Resource[], ...types: readonly string[]): Resource[] {
  return resources.filter(({ type }) => types.includes(type));
}
