import type { Manifest } from '../models/manifest.ts';

/**
 * The share of requests that each version gets, in percent; without `traffic`, the highest version gets all that is no
 * shadow.
 */
export function trafficOf({
  versions,
  traffic,
  shadow,
}: Pick<Manifest, 'versions' | 'traffic' | 'shadow'>): Record<string, number> {
  if (traffic !== undefined) return traffic;
  const candidates = Object.keys(versions).filter((version) => version !== shadow?.version);
  const highest = candidates.reduce((a, b) => (Number(b) > Number(a) ? b : a));
  return { [highest]: 100 };
}

/** The version that gets most requests; of versions with the same share, the highest. */
export function mainVersion(manifest: Pick<Manifest, 'versions' | 'traffic' | 'shadow'>): string {
  const shares = Object.entries(trafficOf(manifest)).sort(([a, x], [b, y]) => y - x || Number(b) - Number(a));
  return shares[0]?.[0] ?? '';
}
