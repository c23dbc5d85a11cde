import type { Traffic } from './traffic.ts';

/** Provides the traffic split of a model, which may change while a function runs. */
export interface TrafficSource {
  /** The split that applies now. Called once for each request, so it must not wait. */
  current(): Traffic;
}

/** Creates a source whose split never changes, for example the one that the manifest declares. */
export function fixedTraffic(traffic: Traffic): TrafficSource {
  return { current: () => traffic };
}
