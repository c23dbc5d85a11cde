import { setTimeout as pause } from 'node:timers/promises';

/** A response of the API. */
export interface ApiResponse {
  readonly status: number;
  readonly json: Record<string, unknown>;
}

/** Maximum time of one attempt: longer than the API's own limit. */
const ATTEMPT_MS = 40_000;

/** Maximum time of all attempts, after which the product is stuck. */
const GIVE_UP_MS = 120_000;

/** A client that retries until the response is neither throttled nor an error of the server. */
export class PatientCaller {
  readonly #url: string;
  readonly #key: string;
  readonly #stopped: AbortSignal;
  retries = 0;

  /** @param stopped - Aborted when the API stops, which ends the retries. */
  constructor(url: string, key: string, stopped: AbortSignal) {
    this.#url = url;
    this.#key = key;
    this.#stopped = stopped;
  }

  async call(
    method: string,
    path: string,
    { body, headers }: { readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> } = {},
  ): Promise<ApiResponse> {
    const init = {
      method,
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    };
    return this.#send(path, init, async (response) => {
      return { status: response.status, json: (await response.json()) as ApiResponse['json'] };
    });
  }

  /** Stores the bytes of a file at its presigned address, which fails when the storage does. */
  async put(url: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const { ok, status } = await this.#repeat(url, { method: 'PUT', body: bytes }, async (response) => response);
    if (!ok) throw new Error(`the address of a file is answered ${status}`);
  }

  /** Reads the content of a file. */
  async content(fileId: string): Promise<string> {
    const path = `/v1/files/${fileId}/content`;
    const { ok, text } = await this.#send(path, {}, async (response) => {
      return { ok: response.ok, text: await response.text() };
    });
    if (!ok) throw new Error(`${path} is answered ${text}`);
    return text;
  }

  #send<T>(path: string, init: RequestInit, read: (response: Response) => Promise<T>): Promise<T> {
    const headers = { 'x-api-key': this.#key, ...init.headers };
    return this.#repeat(`${this.#url}${path}`, { ...init, headers }, read);
  }

  async #repeat<T>(url: string, init: RequestInit, read: (response: Response) => Promise<T>): Promise<T> {
    const giveUpMs = performance.now() + GIVE_UP_MS;
    while (performance.now() < giveUpMs) {
      try {
        const response = await fetch(url, { ...init, signal: AbortSignal.timeout(ATTEMPT_MS) });
        if (response.status < 500 && response.status !== 429) return await read(response);
        await response.body?.cancel();
      } catch {
        // The connection was lost, or the attempt took too long.
      }
      this.retries += 1;
      await pause(50, undefined, { signal: this.#stopped });
    }
    throw new Error(`${init.method ?? 'GET'} ${url} has failed for ${GIVE_UP_MS / 1000} seconds`);
  }
}

/**
 * Looks again until a condition holds.
 *
 * @param what - Names the condition.
 */
export async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const giveUpMs = performance.now() + GIVE_UP_MS;
  while (!(await holds())) {
    if (performance.now() > giveUpMs) throw new Error(`after ${GIVE_UP_MS / 1000} seconds not: ${what}`);
    await pause(20);
  }
}

/** Runs work on `width` items at a time, in their order. */
export async function inParallel<T>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const rest = items[Symbol.iterator]();
  const worker = async (): Promise<void> => {
    for (let next = rest.next(); next.done !== true; next = rest.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: width }, worker));
}
