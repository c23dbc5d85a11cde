import type { Manifest } from '../models/manifest.ts';
import { pickVersion } from './version-split.ts';

/** A version that receives copies of requests, and the share of requests that are copied. */
export type Shadow = NonNullable<Manifest['shadow']>;

/** How requests are divided among the versions of a model. */
export class Traffic {
  /** Percent of callers by version, summing to 100. */
  readonly shares: Readonly<Record<string, number>>;
  readonly #shadow: Shadow | undefined;
  /** The version that receives every request, if one does. */
  readonly #only: string | undefined;

  constructor(shares: Readonly<Record<string, number>>, shadow?: Shadow) {
    this.shares = shares;
    this.#shadow = shadow;
    this.#only = this.versions.length === 1 ? this.versions[0] : undefined;
  }

  /** The versions that receive requests. */
  get versions(): readonly string[] {
    return Object.keys(this.shares).filter((version) => (this.shares[version] ?? 0) > 0);
  }

  /** The version with the largest share; of several, the highest. */
  get main(): string {
    const [largest] = Object.entries(this.shares).sort(([a, x], [b, y]) => y - x || Number(b) - Number(a));
    return largest?.[0] ?? '';
  }

  /**
   * Picks the version that serves a caller, always the same for the same key and split.
   *
   * @param key - Identifies the caller that keeps its version, for example a tenant.
   */
  pick(key: string): string {
    return this.#only ?? pickVersion(this.shares, key);
  }

  /** The shadow that receives copies of the requests to a version; only the main version has one. */
  shadowFor(version: string): Shadow | undefined {
    return version === this.main ? this.#shadow : undefined;
  }
}

/**
 * Reads the traffic that a manifest declares. Without `traffic`, the highest version that is not the shadow receives
 * every request.
 */
export function manifestTraffic({
  versions,
  traffic,
  shadow,
}: Pick<Manifest, 'versions' | 'traffic' | 'shadow'>): Traffic {
  if (traffic !== undefined) return new Traffic(traffic, shadow);
  const candidates = Object.keys(versions).filter((version) => version !== shadow?.version);
  const highest = candidates.reduce((a, b) => (Number(b) > Number(a) ? b : a));
  return new Traffic({ [highest]: 100 }, shadow);
}
