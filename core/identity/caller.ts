import { tenantOfKey } from './key-tenants.ts';
import { planOfKey } from './plan-variables.ts';

/** The principal behind a request. */
export interface Caller {
  /**
   * Owner of the jobs, files, batches, webhooks and cached results of the caller. It outlives the caller's credentials,
   * so a key can be replaced and nothing is lost.
   */
  readonly tenant: string;
  /** Name of the usage plan; absent if no plan of the configuration has the credential, which then is granted nothing. */
  readonly plan?: string;
  /** Roles that the credential grants; API keys grant none. */
  readonly roles: readonly string[];
  /** Kind of the credential that the caller presented. */
  readonly credential: 'key' | 'token';
}

/** The parts of an API Gateway event that identify its caller. */
export interface CallerSource {
  /** Context that a Lambda authorizer returned; its values are strings, numbers and booleans. */
  readonly authorizer?: Readonly<Record<string, unknown>> | null | undefined;
  /** Id of the API key that API Gateway accepted. */
  readonly apiKeyId?: string | null | undefined;
  /** Stage variables, which map keys to tenants and plans; see {@link tenantOfKey} and {@link planOfKey}. */
  readonly stageVariables?: Readonly<Record<string, string | undefined>> | null | undefined;
}

/** Separates roles in the authorizer's context, which holds no lists. */
const ROLE_SEPARATOR = ' ';

/**
 * Identifies the caller of a request: an authorizer's `tenant`, `plan`, `roles` (separated by spaces) and `credential`,
 * or the tenant and the plan of the API key.
 *
 * @returns Undefined if the request carries no credential.
 */
export function identifyCaller({ authorizer, apiKeyId, stageVariables }: CallerSource): Caller | undefined {
  const tenant = textOf(authorizer?.['tenant']);
  if (tenant !== undefined) {
    return {
      tenant,
      plan: textOf(authorizer?.['plan']),
      roles: textOf(authorizer?.['roles'])?.split(ROLE_SEPARATOR) ?? [],
      credential: authorizer?.['credential'] === 'key' ? 'key' : 'token',
    };
  }
  const keyId = textOf(apiKeyId);
  if (keyId === undefined) return undefined;
  const variables = stageVariables ?? {};
  return { tenant: tenantOfKey(keyId, variables), plan: planOfKey(keyId, variables), roles: [], credential: 'key' };
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
