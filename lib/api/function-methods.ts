import {
  type Integration,
  type IResource,
  JsonSchemaType,
  JsonSchemaVersion,
  type Model as RequestModel,
  RequestValidator,
  type RestApi,
} from 'aws-cdk-lib/aws-apigateway';
import type { Construct } from 'constructs';
import type { Access } from '../../core/api/routes.ts';
import { TASK_ROUTES } from '../../core/tasks/task-routes.ts';
import type { CallerAuthorizer } from './caller-authorizer.ts';

/** A method that a function serves. */
export interface FunctionMethod {
  /** `POST`, …, or `ANY` for every method without an integration of its own. */
  readonly method: string;
  readonly access: Access;
  /**
   * The operation, which decides about the members of the body.
   *
   * @default - none: API Gateway does not validate the body
   */
  readonly operation?: string;
}

/** Members of a request body by operation, for the API's description; the function checks them. */
const BODY_MEMBERS: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(TASK_ROUTES.map(({ operation, members }) => [operation, members])),
  predict: ['instances', 'parameters'],
  infer: ['id', 'parameters', 'inputs', 'outputs'],
};

/** Adds methods that functions serve, with what API Gateway itself checks of a request. */
export class FunctionMethods {
  readonly #restApi: RestApi;
  readonly #authorizer: CallerAuthorizer;
  readonly #validator: RequestValidator;
  readonly #requestModels = new Map<string, RequestModel>();

  /** @param scope - Construct that the validator of requests belongs to. */
  constructor(
    scope: Construct,
    { restApi, authorizer }: { readonly restApi: RestApi; readonly authorizer: CallerAuthorizer },
  ) {
    this.#restApi = restApi;
    this.#authorizer = authorizer;
    this.#validator = new RequestValidator(scope, 'Validator', {
      restApi,
      validateRequestBody: true,
      validateRequestParameters: true,
    });
  }

  /** Adds a method to a path. */
  add(resource: IResource, { method, access, operation }: FunctionMethod, integration: Integration): void {
    const requestModel = operation === undefined ? undefined : this.#requestModel(operation);
    resource.addMethod(method, integration, {
      ...this.#authorizer.methodOptions(access),
      requestParameters: Object.fromEntries(pathParameters(resource.path).map((name) => [name, true])),
      requestValidator: this.#validator,
      requestModels: requestModel && { 'application/json': requestModel },
    });
  }

  /**
   * Requires a JSON object and nothing more: API Gateway's response to an invalid body is always the same, that of the
   * function names the member.
   */
  #requestModel(operation: string): RequestModel | undefined {
    const members = BODY_MEMBERS[operation];
    if (members === undefined || this.#requestModels.has(operation)) return this.#requestModels.get(operation);
    const requestModel = this.#restApi.addModel(`${operation}-request`, {
      contentType: 'application/json',
      description: `Body of a request for ${operation}`,
      schema: {
        schema: JsonSchemaVersion.DRAFT4,
        title: `${operation} request`,
        type: JsonSchemaType.OBJECT,
        properties: Object.fromEntries(members.map((member) => [member, {}])),
      },
    });
    this.#requestModels.set(operation, requestModel);
    return requestModel;
  }
}

function pathParameters(path: string): readonly string[] {
  return [...path.matchAll(/\{(\w+)\+?\}/g)].map(([, name]) => `method.request.path.${name}`);
}
