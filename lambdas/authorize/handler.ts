import type { APIGatewayAuthorizerResult, APIGatewayRequestAuthorizerEvent } from 'aws-lambda';
import type { AUTHORIZE } from '../../core/functions/functions.ts';
import type { SettingsOf } from '../../core/functions/settings.ts';
import type { Caller } from '../../core/identity/caller.ts';
import { presentedKeys } from '../../core/identity/credentials.ts';
import { tenantOfKey } from '../../core/identity/key-tenants.ts';
import { planOfKey } from '../../core/identity/plan-variables.ts';
import { KnownKeys } from './known-keys.ts';

/** Authorizes the requests of the API. */
export type AuthorizeHandler = (event: APIGatewayRequestAuthorizerEvent) => Promise<APIGatewayAuthorizerResult>;

/**
 * Creates the handler of the authorizer. It admits a request if it presents a key that the deployment knows, and returns
 * the key for the usage plan that meters it. It writes no log line, because everything that it sees is secret.
 *
 * @throws Error with the message `Unauthorized` for any other request: the one by which API Gateway responds with 401.
 */
export function createHandler({ acceptedHeaders }: SettingsOf<typeof AUTHORIZE.settings>): AuthorizeHandler {
  const known = new KnownKeys();
  return async (event) => {
    const variables = event.stageVariables ?? {};
    known.update(variables);
    for (const key of presentedKeys(event.headers ?? {}, acceptedHeaders)) {
      const id = known.find(key);
      if (id === undefined) continue;
      return admit(event.methodArn, key, { tenant: tenantOfKey(id, variables), plan: planOfKey(id, variables) });
    }
    throw new Error('Unauthorized');
  };
}

/** The caller that a key stands for. */
type Admitted = Pick<Caller, 'tenant' | 'plan'>;

/** The policy allows every method of the stage: API Gateway also judges later requests for other paths by a kept policy. */
function admit(methodArn: string, key: string, { tenant, plan }: Admitted): APIGatewayAuthorizerResult {
  const [api = '', stage = ''] = methodArn.split('/');
  return {
    principalId: tenant,
    policyDocument: {
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Action: 'execute-api:Invoke', Resource: `${api}/${stage}/*` }],
    },
    context: { tenant, ...(plan === undefined ? {} : { plan }), credential: 'key' },
    usageIdentifierKey: key,
  };
}
