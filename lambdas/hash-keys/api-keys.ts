import aws4 from 'aws4';
import { jsonOrUndefined } from '../../core/json/json.ts';
import type { SignedSettings } from '../shared/aws/signed-settings.ts';

/** Attempts to read one key: API Gateway accepts ten calls a second for the whole account, including other deployments. */
const ATTEMPTS = 8;

/** First wait between two attempts in milliseconds; it doubles each time. */
const FIRST_WAIT_MS = 250;

/** Dependencies of {@link openApiKeys}. */
export interface ApiKeysOptions {
  readonly settings: SignedSettings;
  readonly fetch: typeof fetch;
  /** Waits for a number of milliseconds. */
  readonly wait: (ms: number) => Promise<unknown>;
}

/** Reads the value of an API key by its id. */
export type ReadKey = (id: string) => Promise<string>;

/**
 * Opens the API keys of Amazon API Gateway.
 *
 * @returns A function that throws an Error when API Gateway refuses or cannot be reached. No message holds a key.
 * @see https://docs.aws.amazon.com/apigateway/latest/api/API_GetApiKey.html
 */
export function openApiKeys({ settings, fetch, wait }: ApiKeysOptions): ReadKey {
  const attempt = async (id: string): Promise<string | Error> => {
    const path = `/apikeys/${encodeURIComponent(id)}?includeValue=true`;
    const response = await get(settings, path, fetch);
    if (response instanceof Error) return response;
    const { status, text } = response;
    if (status === 429 || status >= 500) return new Error(`API Gateway responded with ${status} for the key ${id}`);
    const { value } = (jsonOrUndefined(text) ?? {}) as { readonly value?: unknown };
    if (status === 200 && typeof value === 'string' && value !== '') return value;
    throw new Error(`API Gateway responded with ${status} and no value for the key ${id}`);
  };
  return async (id) => {
    for (let retry = 0; ; retry++) {
      const result = await attempt(id);
      if (typeof result === 'string') return result;
      if (retry + 1 === ATTEMPTS) throw result;
      await wait(FIRST_WAIT_MS * 2 ** retry);
    }
  };
}

async function get(
  { endpoint, region, credentials }: SignedSettings,
  path: string,
  send: typeof fetch,
): Promise<{ readonly status: number; readonly text: string } | Error> {
  const { host } = new URL(endpoint);
  // Without this media type, API Gateway responds in the Hypertext Application Language.
  const request = { service: 'apigateway', region, method: 'GET', host, path, headers: { accept: 'application/json' } };
  const { headers } = aws4.sign(request, credentials);
  try {
    const response = await send(`${endpoint}${path}`, { headers: headers as Record<string, string> });
    return { status: response.status, text: await response.text() };
  } catch (cause) {
    return new Error('API Gateway cannot be reached', { cause });
  }
}
