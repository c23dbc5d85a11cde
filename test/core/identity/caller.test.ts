import { describe, expect, it } from '@jest/globals';
import { DEFAULT_BUDGETS } from '../../../core/identity/budgets.ts';
import { identifyCaller } from '../../../core/identity/caller.ts';
import { NO_GRANTS } from '../../../core/identity/grants.ts';
import { renderTenantVariable, tenantOfKey } from '../../../core/identity/key-tenants.ts';
import { renderPlanVariables } from '../../../core/identity/plan-variables.ts';

const VARIABLES = Object.fromEntries([
  renderTenantVariable({ name: 'acme-eu', tenant: 'acme-eu', plan: 'pro', keyIds: ['old1', 'new1'] }),
  renderTenantVariable({ name: 'moved', tenant: 'k0', plan: 'free', keyIds: ['k9'] }),
]);

describe('the tenant of an API key', () => {
  it('is the key itself if no tenant is configured for it', () => {
    expect(tenantOfKey('k1', {})).toBe('k1');
    expect(tenantOfKey('k1', VARIABLES)).toBe('k1');
  });

  it('is the same for both keys of a rotation', () => {
    expect(tenantOfKey('old1', VARIABLES)).toBe('acme-eu');
    expect(tenantOfKey('new1', VARIABLES)).toBe('acme-eu');
  });

  it('can be the id of an earlier key, which thereby keeps its records', () => {
    expect(tenantOfKey('k9', VARIABLES)).toBe(tenantOfKey('k0', VARIABLES));
  });

  it('is never found by a part of a key id, by a tenant name or in a variable of another purpose', () => {
    for (const keyId of ['new', 'new11', 'acme-eu', 'moved']) expect(tenantOfKey(keyId, VARIABLES)).toBe(keyId);
    expect(tenantOfKey('k1', { colour: 'acme:k1', tenant_x: 'k1', tenant_y: undefined })).toBe('k1');
  });

  it('travels in names and values that API Gateway accepts for stage variables', () => {
    for (const [name, value] of Object.entries(VARIABLES)) {
      expect(name).toMatch(/^\w{1,64}$/);
      expect(value).toMatch(/^[A-Za-z0-9\-._~:/?#&=,]{1,512}$/);
    }
  });
});

describe('the caller of a request', () => {
  it('is unknown without a credential', () => {
    expect(identifyCaller({})).toBeUndefined();
    expect(identifyCaller({ authorizer: null, apiKeyId: null, stageVariables: null })).toBeUndefined();
    expect(identifyCaller({ authorizer: { tenant: '' }, apiKeyId: '' })).toBeUndefined();
  });

  it('is the tenant of the API key, without roles', () => {
    expect(identifyCaller({ apiKeyId: 'new1', stageVariables: VARIABLES })).toEqual({
      tenant: 'acme-eu',
      plan: 'pro',
      roles: [],
      credential: 'key',
    });
  });

  it('has the plan of the API key', () => {
    const stageVariables = renderPlanVariables([
      { name: 'pro', keyIds: ['k1'], grants: NO_GRANTS, budgets: DEFAULT_BUDGETS },
    ]);
    expect(identifyCaller({ apiKeyId: 'k1', stageVariables })).toMatchObject({ tenant: 'k1', plan: 'pro' });
    expect(identifyCaller({ apiKeyId: 'k2', stageVariables })?.plan).toBeUndefined();
    expect(identifyCaller({ apiKeyId: 'k2', stageVariables: { tenant_old: 'old:k2' } })).toMatchObject({
      tenant: 'old',
    });
  });

  it('is the one that an authorizer returns, whichever key API Gateway metered', () => {
    const authorizer = { tenant: 'acme', plan: 'pro', roles: 'submit read', credential: 'token' };
    expect(identifyCaller({ authorizer, apiKeyId: 'shared' })).toEqual({
      tenant: 'acme',
      plan: 'pro',
      roles: ['submit', 'read'],
      credential: 'token',
    });
  });

  it('has no roles and no plan if the authorizer names none', () => {
    expect(identifyCaller({ authorizer: { tenant: 'acme', credential: 'key' } })).toEqual({
      tenant: 'acme',
      roles: [],
      credential: 'key',
    });
  });
});
