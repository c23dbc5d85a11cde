import { setTimeout as pause } from 'node:timers/promises';
import OpenAI from 'openai';
import type { Account } from './account.ts';
import type { Emulator } from './emulator.ts';

/** A response of the API. */
export interface ApiResponse {
  readonly status: number;
  readonly headers: Headers;
  /** The body, if it is JSON. */
  readonly json: unknown;
}

/** Parts of a request beyond its method and path. */
export interface ApiRequest {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

const POLL_LIMIT_MS = 90_000;

/** The deployed API, as its callers see it. */
export class DeployedApi {
  /** Address of the API's stage. */
  readonly url: string;
  /** A key of the plan that may do most. */
  readonly key: string;

  private constructor(url: string, key: string) {
    this.url = url;
    this.key = key;
  }

  /**
   * Finds the API by the outputs of its stack.
   *
   * @throws Error if the outputs name no API or no key.
   */
  static async find(
    outputs: Readonly<Record<string, string>>,
    emulator: Emulator,
    account: Account,
  ): Promise<DeployedApi> {
    const { ApiUrl = '' } = outputs;
    const [, api, stage] = /^https:\/\/(\w+)\.execute-api\.[^/]+\/(\w+)\/$/.exec(ApiUrl) ?? [];
    const command = Object.entries(outputs).find(([name]) => name.startsWith('Key') && name.includes('internal'))?.[1];
    const id = command?.split(' ').at(-1);
    if (api === undefined || stage === undefined || id === undefined)
      throw new Error(`no API in ${JSON.stringify(outputs)}`);
    // The host names of AWS lead elsewhere, so the emulator takes the ids from the path.
    return new DeployedApi(`${emulator.url}/restapis/${api}/${stage}/_user_request_`, await account.keyValue(id));
  }

  async call(method: string, path: string, { body, headers = {} }: ApiRequest = {}): Promise<ApiResponse> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: {
        'x-api-key': this.key,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const json: unknown = /[/+]json/.test(response.headers.get('content-type') ?? '') ? JSON.parse(text) : undefined;
    return { status: response.status, headers: response.headers, json };
  }

  /**
   * Multiplies by a model of `Project.writeMultiplier`.
   *
   * @returns Its result for `[1, 2]`: three times the factor.
   */
  async multiply(model: string): Promise<unknown> {
    const { status, json } = await this.call('POST', `/v2/models/${model}/infer`, { body: MULTIPLICATION });
    if (status !== 200) throw new Error(`${model} responded ${status}: ${JSON.stringify(json)}`);
    return productOf(json);
  }

  /** The unchanged client of OpenAI with a key in `x-api-key`. */
  openAi(): OpenAI {
    const defaultHeaders = { 'x-api-key': this.key };
    return new OpenAI({ baseURL: `${this.url}/v1`, apiKey: 'unused', defaultHeaders, maxRetries: 0 });
  }
}

/** Returns the product in the body of a response of such a model. */
export function productOf(body: unknown): number | undefined {
  return (body as { outputs: { data: number[] }[] }).outputs[0]?.data[0];
}

/** Body of a request for {@link DeployedApi.multiply}. */
export const MULTIPLICATION = { inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 2], data: [1, 2] }] };

/**
 * Polls until there is a value.
 *
 * @throws Error after 90 seconds.
 */
export async function until<T>(poll: () => Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + POLL_LIMIT_MS;
  while (Date.now() < deadline) {
    const value = await poll();
    if (value !== undefined) return value;
    await pause(200);
  }
  throw new Error(`no result after ${POLL_LIMIT_MS / 1000} seconds`);
}
