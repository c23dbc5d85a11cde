import * as v from 'valibot';
import type { Clock } from '../../../core/clock.ts';
import { compilePolicies, type Judge } from '../../iam/policy.ts';
import { localArn } from '../../template/account.ts';
import type { ApiPlan, MethodPlan } from '../../template/plan-apis.ts';
import type { AuthorizerPlan, IdentitySource } from '../../template/plan-authorizers.ts';
import type { InvokePermission } from '../../template/plan-functions.ts';
import { errorOf, type InvocationResult } from '../lambda/invocation.ts';
import type { LambdaHost } from '../lambda/lambda-host.ts';
import { authorizerEvent, methodArn } from './authorizer-event.ts';
import { contextValue } from './context-template.ts';
import { type Authorization, type Exchange, headerOf } from './exchange.ts';
import { GatewayError } from './gateway-error.ts';
import { invokeWithin, mayInvoke, missingPermission } from './invoke-function.ts';

/** Time that API Gateway waits for an authorizer, in milliseconds. */
const TIMEOUT_MS = 29_000;

/** The one message of a function's error that means 401. */
const UNAUTHORIZED_MESSAGE = 'Unauthorized';

/** The action that the policy of an authorizer must allow. */
const INVOKE_ACTION = 'execute-api:Invoke';

const contextMember = v.pipe(v.union([v.string(), v.number(), v.boolean()]), v.transform(String));

const resultSchema = v.object({
  principalId: v.pipe(v.string(), v.nonEmpty()),
  policyDocument: v.looseObject({}),
  context: v.nullish(v.record(v.string(), contextMember)),
  usageIdentifierKey: v.nullish(v.string()),
});

/** The decision of a function about an identity. */
interface Decision {
  readonly authorization: Authorization;
  readonly judge: Judge;
}

/** Dependencies of an {@link Authorizer}. */
export interface AuthorizerOptions {
  readonly plan: AuthorizerPlan;
  readonly api: ApiPlan;
  readonly host: Pick<LambdaHost, 'invoke'>;
  /** Which principals may invoke which function. */
  readonly permissions: readonly InvokePermission[];
  readonly clock: Clock;
}

/**
 * A Lambda authorizer of a REST API.
 *
 * Its result is kept for an identity, which is the values of the identity sources and nothing else. A kept policy therefore
 * also judges other methods and paths, as it does on AWS.
 *
 * @see {@link https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-use-lambda-authorizer.html}
 */
export class Authorizer {
  readonly #options: AuthorizerOptions;
  readonly #isPermitted: boolean;
  readonly #expression: RegExp | undefined;
  readonly #kept = new Map<string, { readonly decision: Decision; readonly expiresAtMs: number }>();

  constructor(options: AuthorizerOptions) {
    const { plan, api, permissions } = options;
    this.#options = options;
    const source = localArn('execute-api', `${api.id}/authorizers/${plan.id}`);
    this.#isPermitted = mayInvoke(permissions, plan.functionArn, source);
    const { validationExpression } = plan;
    this.#expression = validationExpression === undefined ? undefined : new RegExp(`^(?:${validationExpression})$`);
  }

  /**
   * Admits a request to a method.
   *
   * @throws GatewayError `UNAUTHORIZED` when the request lacks an identity source or the function throws `Unauthorized`;
   * `ACCESS_DENIED` when the policy does not allow the method; `AUTHORIZER_FAILURE` or `AUTHORIZER_CONFIGURATION_ERROR`
   * when there is no decision.
   */
  async authorize(method: MethodPlan, exchange: Exchange): Promise<Authorization> {
    const identity = this.#identify(exchange);
    const decision = await this.#decide(identity, method, exchange);
    const verdict = decision.judge({ action: INVOKE_ACTION, resource: methodArn(this.#options.api, exchange) });
    // A template of the response may show the context of a denial.
    exchange.authorization = decision.authorization;
    if (verdict === 'allowed') return decision.authorization;
    const denial = 'User is not authorized to access this resource with an explicit deny';
    throw new GatewayError('ACCESS_DENIED', verdict === 'explicitly denied' ? denial : undefined);
  }

  #identify(exchange: Exchange): readonly string[] {
    const values = this.#options.plan.identitySources.map((source) => this.#read(source, exchange));
    const [token = ''] = values;
    if (values.includes('') || this.#expression?.test(token) === false) throw new GatewayError('UNAUTHORIZED');
    return values;
  }

  #read({ location, name }: IdentitySource, exchange: Exchange): string {
    const { api } = this.#options;
    switch (location) {
      case 'header':
        return headerOf(exchange.headers, name.toLowerCase()) ?? '';
      case 'querystring':
        return exchange.query.get(name) ?? '';
      case 'stageVariables':
        return api.stageVariables?.[name] ?? '';
      default:
        return contextValue(name, { api, exchange });
    }
  }

  async #decide(identity: readonly string[], method: MethodPlan, exchange: Exchange): Promise<Decision> {
    const { plan, clock } = this.#options;
    if (plan.ttlSeconds === 0) return this.#ask(identity, method, exchange);
    const key = JSON.stringify(identity);
    const kept = this.#kept.get(key);
    if (kept !== undefined && kept.expiresAtMs > clock.now()) return kept.decision;
    const decision = await this.#ask(identity, method, exchange);
    this.#kept.set(key, { decision, expiresAtMs: clock.now() + plan.ttlSeconds * 1000 });
    return decision;
  }

  async #ask([token = '']: readonly string[], method: MethodPlan, exchange: Exchange): Promise<Decision> {
    const { api, plan, host } = this.#options;
    if (!this.#isPermitted) {
      exchange.functionError = missingPermission(plan.functionArn);
      throw new GatewayError('AUTHORIZER_CONFIGURATION_ERROR');
    }
    const payload = JSON.stringify(authorizerEvent(api, method, exchange, plan.type === 'TOKEN' ? token : undefined));
    const result = await invokeWithin(host, { functionName: plan.functionArn, payload }, TIMEOUT_MS);
    if (result?.coldStart === true) exchange.coldStart = true;
    return readDecision(readPayload(result, exchange), exchange);
  }
}

function readPayload(result: InvocationResult | undefined, exchange: Exchange): Buffer {
  const outcome = result?.outcome;
  switch (outcome?.kind) {
    case 'responded':
      return outcome.payload;
    case 'failed': {
      const { errorType, errorMessage } = errorOf(outcome.payload);
      if (errorMessage === UNAUTHORIZED_MESSAGE) throw new GatewayError('UNAUTHORIZED');
      throw failure(exchange, `the authorizer failed: ${errorType}: ${errorMessage}`);
    }
    case 'throttled':
      throw failure(exchange, `Lambda throttled the authorizer: ${outcome.reason}`);
    case 'not-found':
      exchange.functionError = `Function not found: ${outcome.functionArn}`;
      throw new GatewayError('AUTHORIZER_CONFIGURATION_ERROR');
    default:
      throw failure(exchange, 'the authorizer did not respond in time');
  }
}

function readDecision(payload: Buffer, exchange: Exchange): Decision {
  try {
    const { principalId, policyDocument, context, usageIdentifierKey } = v.parse(
      resultSchema,
      JSON.parse(payload.toString()),
    );
    const authorization = { principalId, context: context ?? {}, usageIdentifierKey: usageIdentifierKey ?? undefined };
    return { authorization, judge: compilePolicies([policyDocument]) };
  } catch (cause) {
    // Not the cause's own message, which may hold the value of the key.
    throw failure(exchange, 'the authorizer returned no valid principalId, policyDocument and context', cause);
  }
}

function failure(exchange: Exchange, message: string, cause?: unknown): GatewayError {
  exchange.functionError = message;
  return new GatewayError('AUTHORIZER_FAILURE', undefined, { cause });
}
