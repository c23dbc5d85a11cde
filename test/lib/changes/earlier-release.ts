import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DeployedResource, DeployedStack } from './deployed-stack.ts';

/** A stack in `earlier-release.json`: what the rules look at. */
interface RecordedStack {
  readonly name: string;
  /** Names of the exports that it imports. */
  readonly imports: readonly string[];
  readonly exports: Readonly<Record<string, unknown>>;
  readonly resources: Readonly<Record<string, DeployedResource>>;
}

/**
 * Reads the stacks as the last release with exports deployed them. The models are `one` and `two` on functions and `three`
 * on an asynchronous endpoint, and there is a reply queue `results`.
 */
export function earlierRelease(): readonly DeployedStack[] {
  const file = join(import.meta.dirname, 'earlier-release.json');
  const recorded: readonly RecordedStack[] = JSON.parse(readFileSync(file, 'utf8'));
  return recorded.map(({ name, imports, exports, resources }) => {
    const importing = {
      Type: 'Recorded::Imports',
      Properties: { imports: imports.map((name) => ({ 'Fn::ImportValue': name })) },
    };
    return {
      name,
      after: [],
      isProtected: false,
      resources: new Map(Object.entries({ ...resources, Imports: importing })),
      outputs: new Map(),
      exports: new Map(Object.entries(exports)),
      sizes: [],
    };
  });
}
