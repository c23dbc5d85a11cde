import type { Manifest } from './manifest.ts';

/** The share of requests that each version gets, in percent; without `traffic`, the highest version gets all. */
export function trafficOf(manifest: Pick<Manifest, 'versions' | 'traffic'>): Record<string, number> {
  if (manifest.traffic !== undefined) return manifest.traffic;
  const highest = Object.keys(manifest.versions).reduce((a, b) => (Number(b) > Number(a) ? b : a));
  return { [highest]: 100 };
}
