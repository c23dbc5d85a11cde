import { setTimeout as pause } from 'node:timers/promises';

/** A response of the API. */
export interface ApiResponse {
  readonly status: number;
  readonly json: Record<string, unknown>;
}

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
    options: { readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> } = {},
  ): Promise<ApiResponse> {
    for (;;) {
      const answer = await this.#try(method, path, options).catch(() => undefined);
      if (answer !== undefined && answer.status < 500 && answer.status !== 429) return answer;
      this.retries += 1;
      await this.#pause();
    }
  }

  /** Stores the bytes of a file at its presigned address, which fails when the storage does. */
  async put(url: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    while (!(await fetch(url, { method: 'PUT', body: bytes })).ok) {
      this.retries += 1;
      await this.#pause();
    }
  }

  /** Reads the content of a file. */
  async content(fileId: string): Promise<string> {
    for (;;) {
      const response = await fetch(`${this.#url}/v1/files/${fileId}/content`, { headers: { 'x-api-key': this.#key } });
      if (response.ok) return response.text();
      await this.#pause();
    }
  }

  async #pause(): Promise<void> {
    await pause(50, undefined, { signal: this.#stopped });
  }

  async #try(
    method: string,
    path: string,
    { body, headers }: { readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> },
  ): Promise<ApiResponse> {
    const response = await fetch(`${this.#url}${path}`, {
      method,
      headers: {
        'x-api-key': this.#key,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(40_000),
    });
    return { status: response.status, json: (await response.json()) as Record<string, unknown> };
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
