import type { Clock } from '../../../core/clock.ts';
import { backOff } from '../resilience/back-off.ts';
import { AwsJsonError, openAwsJson } from './aws-json.ts';
import { callAws } from './client-settings.ts';
import { type SignedSettings, signedSettings } from './signed-settings.ts';

/** How long a name is kept. A deployment that replaces the resource takes effect after this time at the latest. */
const KEPT_MS = 5 * 60_000;

/** How long a kept name is used before it is read again, if AWS Systems Manager does not respond. */
const KEPT_IN_OUTAGE_MS = 30_000;

/** Attempts at a call that AWS Systems Manager throttles, or fails. */
const MAX_ATTEMPTS = 3;

/** Pauses between two attempts. */
const PAUSES = { firstMs: 50, maxMs: 400 };

/**
 * Reads a name that only the deployment knows.
 *
 * @param parameter - Name of the parameter that holds it.
 * @returns Undefined if the deployment has no such parameter.
 * @throws AppError `UNAVAILABLE` if AWS Systems Manager does not respond, and the name was never read.
 */
export type DeployedNames = (parameter: string) => Promise<string | undefined>;

/** Dependencies of {@link openDeployedNames}. */
export interface DeployedNamesOptions {
  readonly clock: Clock;
  /**
   * Reads where AWS Systems Manager is.
   *
   * @default - from the environment of the function
   */
  readonly settings?: () => SignedSettings;
}

interface Kept {
  readonly value: string;
  readonly untilMs: number;
}

/**
 * Opens the names of the deployment. A name is read on first use and then kept. It is used longer while AWS Systems Manager does
 * not respond, because names hardly ever change.
 */
export function openDeployedNames({ clock, settings = ownSettings }: DeployedNamesOptions): DeployedNames {
  const client = openAwsJson({ service: 'ssm', apiVersion: 'AmazonSSM', protocol: '1.1' }, settings);
  const kept = new Map<string, Kept>();
  return async (parameter) => {
    const known = kept.get(parameter);
    if (known !== undefined && known.untilMs > clock.now()) return known.value;
    try {
      const value = await callAws('AWS Systems Manager', () => readWithRetries(client, parameter));
      if (value !== undefined) kept.set(parameter, { value, untilMs: clock.now() + KEPT_MS });
      return value;
    } catch (error) {
      if (known === undefined) throw error;
      kept.set(parameter, { ...known, untilMs: clock.now() + KEPT_IN_OUTAGE_MS });
      return known.value;
    }
  };
}

function ownSettings(): SignedSettings {
  return signedSettings(process.env, 'ssm');
}

async function readWithRetries(client: ReturnType<typeof openAwsJson>, parameter: string): Promise<string | undefined> {
  for (let attempt = 1; ; attempt++) {
    try {
      const response = (await client.call('GetParameter', { Name: parameter })) as {
        readonly Parameter?: { readonly Value?: string };
      };
      return response.Parameter?.Value;
    } catch (error) {
      if (error instanceof AwsJsonError && error.name === 'ParameterNotFound') return undefined;
      if (attempt === MAX_ATTEMPTS) throw error;
      await backOff(attempt, PAUSES);
    }
  }
}
