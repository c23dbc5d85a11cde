import { Duration } from 'aws-cdk-lib';
import {
  AuthorizationType,
  IdentitySource,
  type MethodOptions,
  RequestAuthorizer,
  type RestApi,
} from 'aws-cdk-lib/aws-apigateway';
import { Construct } from 'constructs';
import type { Access } from '../../core/api/routes.ts';
import { FUNCTIONS } from '../../core/functions/functions.ts';
import { renderSettings, type SettingsOf } from '../../core/functions/settings.ts';
import type { KeyHeader } from '../../core/identity/credentials.ts';
import { ServiceFunction, type ServiceFunctionOptions } from '../functions/service-function.ts';
import { bundlePackage } from '../packaging/function-package.ts';
import { functionBundle } from '../packaging/package-layout.ts';

/** Time for which API Gateway keeps the result for a key, where it can keep results: AWS's own default. */
export const KEPT_RESULT_SECONDS = 300;

/** Settings of {@link CallerAuthorizer}. */
export interface CallerAuthorizerProps extends Required<ServiceFunctionOptions> {
  /** Headers by which callers may present their keys; with `x-api-key` alone, no authorizer is needed. */
  readonly acceptedHeaders: readonly KeyHeader[];
}

/** Returns whether an authorizer admits callers. Without one, API Gateway reads only the `x-api-key` header. */
export function needsAuthorizer(acceptedHeaders: readonly KeyHeader[]): boolean {
  return acceptedHeaders.includes('bearer');
}

/** Returns whether API Gateway can keep results. It can only if every request has the one header that identifies its caller. */
function keepsResults(acceptedHeaders: readonly KeyHeader[]): boolean {
  return acceptedHeaders.length === 1 && acceptedHeaders.includes('bearer');
}

/** Admits requests by their keys: an authorizer, or API Gateway by itself if it reads the header without help. */
export class CallerAuthorizer extends Construct {
  /** The function behind the authorizer; absent if there is none. */
  readonly function: ServiceFunction | undefined;
  readonly #authorizer: RequestAuthorizer | undefined;
  readonly #acceptedHeaders: readonly KeyHeader[];

  constructor(scope: Construct, id: string, props: CallerAuthorizerProps) {
    super(scope, id);
    this.#acceptedHeaders = props.acceptedHeaders;
    if (!needsAuthorizer(props.acceptedHeaders)) return;
    this.function = this.#createFunction(props);
    const kept = keepsResults(props.acceptedHeaders);
    this.#authorizer = new RequestAuthorizer(this, 'Authorizer', {
      handler: this.function.fn,
      // An identity source that a request lacks causes an immediate 401, so there is none if either header is enough.
      identitySources: kept ? [IdentitySource.header('Authorization')] : [],
      resultsCacheTtl: Duration.seconds(kept ? KEPT_RESULT_SECONDS : 0),
    });
  }

  /** Properties of a method that admits these callers. */
  methodOptions(access: Access): MethodOptions {
    const apiKeyRequired = access === 'caller';
    if (!apiKeyRequired || this.#authorizer === undefined) return { apiKeyRequired };
    return { apiKeyRequired, authorizationType: AuthorizationType.CUSTOM, authorizer: this.#authorizer };
  }

  /** Makes a change of the authorizer take effect: API Gateway uses the authorizers of its last deployment. */
  deployWith(restApi: RestApi): void {
    if (this.#authorizer === undefined) return;
    restApi.latestDeployment?.addToLogicalId({ acceptedHeaders: this.#acceptedHeaders });
  }

  #createFunction({ acceptedHeaders, ...options }: CallerAuthorizerProps): ServiceFunction {
    const { description, memoryMiB, timeoutSeconds, settings } = FUNCTIONS.authorize;
    return new ServiceFunction(this, 'authorize', {
      ...options,
      description,
      memoryMiB,
      timeoutSeconds,
      package: bundlePackage(functionBundle('authorize')),
      environment: renderSettings({ acceptedHeaders } satisfies SettingsOf<typeof settings>),
      // It runs for each request, and the request's other lines say all of it.
      systemLogLevel: 'WARN',
    });
  }
}
