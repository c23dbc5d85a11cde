/** Resolution of a split: percentages count in hundredths. */
const BUCKETS = 10_000;

/**
 * Picks the version that serves a caller, always the same one for the same key and split.
 *
 * The key's bucket is compared with the cumulated percentages in the order of version numbers, so that raising the
 * share of the highest version moves callers to it and none back.
 *
 * @param traffic - Percent by version, summing to 100; hundredths of a percent count.
 * @param stickyKey - Identifies the caller or request that keeps its version: a tenant, a request id.
 * @example
 * pickVersion({ '1': 90, '2': 10 }, 'acme');
 */
export function pickVersion(traffic: Readonly<Record<string, number>>, stickyKey: string): string {
  const versions = Object.keys(traffic)
    .filter((version) => (traffic[version] ?? 0) > 0)
    .sort((a, b) => Number(a) - Number(b));
  const bucket = bucketOf(stickyKey);
  let percent = 0;
  for (const version of versions) {
    percent += traffic[version] ?? 0;
    if (bucket < Math.round((percent * BUCKETS) / 100)) return version;
  }
  return versions.at(-1) ?? '';
}

/**
 * 32-bit FNV-1a over the UTF-16 units, low byte first (Fowler, Noll, Vo; draft-eastlake-fnv), then MurmurHash3's finalizer
 * (Appleby).
 */
function bucketOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < key.length; index++) {
    const unit = key.charCodeAt(index);
    hash = Math.imul(hash ^ (unit & 0xff), 0x01000193);
    hash = Math.imul(hash ^ (unit >>> 8), 0x01000193);
  }
  // FNV's low bits spread badly over short keys that differ in their last letter; the finalizer mends that.
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) % BUCKETS;
}
