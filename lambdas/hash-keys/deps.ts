import { setTimeout } from 'node:timers/promises';
import { signedSettings } from '../shared/aws/signed-settings.ts';
import { openApiKeys } from './api-keys.ts';
import type { HashKeysDeps } from './handler.ts';

/** Opens the dependencies of the function. */
export function openDeps(variables: Readonly<Record<string, string | undefined>>): HashKeysDeps {
  const readKey = openApiKeys({ settings: signedSettings(variables, 'apigateway'), fetch, wait: setTimeout });
  return { readKey, fetch };
}
