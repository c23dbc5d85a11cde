import type { InferenceDeps } from './inference.ts';

/**
 * Chooses the version that serves a request.
 *
 * @param stickyKey - Identifies the caller in the traffic split: the same key always gets the same version.
 * @param pinned - The version that the request names; it takes precedence over the split.
 * @throws AppError `VERSION_NOT_FOUND` if the model has no such version.
 */
export function chooseVersion(
  stickyKey: string,
  pinned: string | undefined,
  { traffic, versions }: Pick<InferenceDeps, 'traffic' | 'versions'>,
): string {
  const name = pinned ?? traffic.current().pick(stickyKey);
  versions.describe(name);
  return name;
}
