import autocannon from 'autocannon';
import { percentile } from './statistics.ts';

/** A server under load. */
export interface LoadTarget {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Results of a server under load for some seconds. */
export interface LoadResult {
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly requests: number;
}

/** How much load. */
export interface LoadOptions {
  readonly concurrency: number;
  readonly seconds: number;
  /** Bodies sent in turns; every connection starts at another one. */
  readonly bodies: readonly string[];
}

const REQUEST_TIMEOUT_SECONDS = 30;

/**
 * Keeps a number of connections busy for some seconds.
 *
 * @throws Error when any request fails: such figures would mean nothing.
 */
export async function applyLoad({ url, headers }: LoadTarget, options: LoadOptions): Promise<LoadResult> {
  const { concurrency, seconds, bodies } = options;
  const requests = bodies.map((body) => ({
    method: 'POST' as const,
    path: new URL(url).pathname,
    headers: { 'content-type': 'application/json', ...headers },
    body,
  }));
  let connection = 0;
  const run = autocannon({
    url,
    connections: concurrency,
    duration: seconds,
    timeout: REQUEST_TIMEOUT_SECONDS,
    requests,
    setupClient: (client) => {
      const start = Math.floor((connection++ * requests.length) / concurrency);
      client.setRequests([...requests.slice(start), ...requests.slice(0, start)]);
    },
  });
  const latencies: number[] = [];
  run.on('response', (_client, _status, _bytes, responseMs: number) => latencies.push(responseMs));
  const { duration, errors, non2xx } = await run;
  if (errors + non2xx > 0 || latencies.length === 0) {
    throw new Error(`under load ${errors} requests failed and ${non2xx} were refused, of ${latencies.length} answered`);
  }
  return {
    requestsPerSecond: latencies.length / duration,
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    requests: latencies.length,
  };
}
