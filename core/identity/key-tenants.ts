/**
 * Prefix of the stage variables that map API keys to their tenant, one variable for each configured tenant.
 *
 * API Gateway adds the variables of its stage to every event, so a change of keys needs no new version of a function.
 */
const VARIABLE_PREFIX = 'tenant_';

/** Maximum number of stage variables (API Gateway quotas). */
export const MAX_STAGE_VARIABLES = 100;

/** The keys of one tenant. */
export interface TenantKeys {
  /** Name of the tenant in the configuration. */
  readonly name: string;
  /** Id of the tenant: the owner in its records. */
  readonly tenant: string;
  /** Name of its usage plan. */
  readonly plan: string;
  /** Ids of its API keys. */
  readonly keyIds: readonly string[];
}

/**
 * Renders the stage variable of a tenant: its id, the ids of its keys, separated by commas, and its plan, with colons
 * between them. API Gateway accepts these characters in values, and underscores but no hyphens in names.
 *
 * @returns Name and value.
 */
export function renderTenantVariable({ name, tenant, plan, keyIds }: TenantKeys): readonly [string, string] {
  return [`${VARIABLE_PREFIX}${name.replaceAll('-', '_')}`, `${tenant}:${keyIds.join(',')}:${plan}`];
}

/** The value of a stage variable for an API key. */
interface ConfiguredTenant {
  readonly tenant: string;
  /** Empty in stages that an earlier version deployed. */
  readonly plan: string;
}

/**
 * Finds the tenant of an API key.
 *
 * @param variables - The stage variables of the event.
 * @returns The id of the configured tenant that has the key; the id of the key itself if no tenant is configured for it.
 */
export function tenantOfKey(keyId: string, variables: Readonly<Record<string, string | undefined>>): string {
  return configuredTenantOf(keyId, variables)?.tenant ?? keyId;
}

/** Returns the configured tenant that has an API key; undefined if none is configured for it. */
export function configuredTenantOf(
  keyId: string,
  variables: Readonly<Record<string, string | undefined>>,
): ConfiguredTenant | undefined {
  for (const [name, value = ''] of Object.entries(variables)) {
    if (!name.startsWith(VARIABLE_PREFIX)) continue;
    const [tenant = '', keyIds = '', plan = ''] = value.split(':');
    if (tenant !== '' && keyIds.split(',').includes(keyId)) return { tenant, plan };
  }
  return undefined;
}
