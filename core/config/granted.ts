import { AppError } from '../errors.ts';
import type { InputPlace } from '../identity/grants.ts';

/** Resources that a plan or the producers are granted. */
interface NamedGrants {
  readonly replyQueues?: readonly string[] | undefined;
  readonly inputBuckets?: readonly InputPlace[] | undefined;
}

/** Resources that the deployment has. */
export interface Grantable {
  readonly replyQueues: readonly string[];
  readonly inputBuckets: readonly string[];
}

/**
 * Checks that nothing is granted which the deployment does not have: most likely a name is misspelt.
 *
 * @param grants - Grants by their path in the configuration: `usagePlans.free`.
 * @param source - Name of the configuration, for the message.
 * @throws AppError `CONFIG_INVALID` that lists every problem.
 */
export function checkGranted(grants: Readonly<Record<string, NamedGrants>>, has: Grantable, source: string): void {
  const problems = Object.entries(grants).flatMap(([path, { replyQueues = [], inputBuckets = [] }]) => [
    ...missing(replyQueues, has.replyQueues, `${path}.replyQueues`, 'jobs.replyQueues'),
    ...missing(
      inputBuckets.map(({ bucket }) => bucket),
      has.inputBuckets,
      `${path}.inputBuckets`,
      'jobs.inputBuckets',
    ),
  ]);
  if (problems.length === 0) return;
  throw new AppError(
    'CONFIG_INVALID',
    `${source} grants resources that the deployment does not have:\n${problems.join('\n')}`,
  );
}

function missing(names: readonly string[], known: readonly string[], path: string, declared: string): string[] {
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length === 0) return [];
  const all = known.length === 0 ? 'none' : known.join(', ');
  return [`  ${path}: must name one of ${declared} (${all}), got ${unknown.join(', ')}`];
}
