import { AppError } from '../../core/errors.ts';
import { references } from './intrinsics.ts';
import type { TemplateResource } from './template.ts';

/**
 * Orders resources so that each follows the resources that it refers to or depends on.
 *
 * @returns Logical ids.
 * @throws AppError `TEMPLATE_INVALID` if resources depend on each other in a cycle.
 */
export function dependencyOrder(resources: Readonly<Record<string, TemplateResource>>): string[] {
  const ordered = new Set<string>();
  const open: string[] = [];
  const visit = (logicalId: string): void => {
    const resource = resources[logicalId];
    if (resource === undefined || ordered.has(logicalId)) return;
    if (open.includes(logicalId)) {
      throw new AppError(
        'TEMPLATE_INVALID',
        `resources depend on each other in a cycle: ${[...open, logicalId].join(' -> ')}`,
      );
    }
    open.push(logicalId);
    for (const needed of references(resource.Properties)) visit(needed);
    for (const needed of [resource.DependsOn ?? []].flat()) visit(needed);
    open.pop();
    ordered.add(logicalId);
  };
  Object.keys(resources).forEach(visit);
  return [...ordered];
}
