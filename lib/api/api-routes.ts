import {
  AwsIntegration,
  type Integration,
  JsonSchemaType,
  JsonSchemaVersion,
  type Model as RequestModel,
  RequestValidator,
  type RestApi,
} from 'aws-cdk-lib/aws-apigateway';
import { ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { allowedMethods, modelRoutes, type Route, SHARED_ROUTES, UNKNOWN_PATHS } from '../../core/api/routes.ts';
import { namesOf } from '../../core/models/model-names.ts';
import { TASK_ROUTES } from '../../core/tasks/task-routes.ts';
import { countResources } from '../limits/stack-size.ts';
import type { RouteModels } from '../packaging/route-models.ts';
import type { CallerAuthorizer } from './caller-authorizer.ts';
import { methodArns } from './method-arns.ts';
import type { ModelFunction } from './model-function.ts';
import { routeDocument } from './route-document.ts';
import { addDocument, addProblem } from './static-method.ts';

/** Settings of {@link ApiRoutes}. */
export interface ApiRoutesProps {
  /** The API to add the routes to. */
  readonly restApi: RestApi;
  /** Admits the callers of its methods. */
  readonly authorizer: CallerAuthorizer;
  /** One function for each model, in the order in which models are listed. */
  readonly functions: readonly ModelFunction[];
  /** The models behind routes that several models share; a route without any responds with MODEL_NOT_FOUND. */
  readonly routeModels: readonly RouteModels[];
}

/** Members of a request body by operation, for the API's description; the function checks them. */
const BODY_MEMBERS: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(TASK_ROUTES.map(({ operation, members }) => [operation, members])),
  predict: ['instances', 'parameters'],
  infer: ['id', 'parameters', 'inputs', 'outputs'],
};

/** Every route of an API: those of the models, the shared ones, and error responses for paths and methods without a route. */
export class ApiRoutes extends Construct {
  /** Resources that the routes of one model add to the stack. */
  readonly resourcesPerModel: number;
  private readonly restApi: RestApi;
  private readonly authorizer: CallerAuthorizer;
  private readonly functions: readonly ModelFunction[];
  private readonly validator: RequestValidator;
  private readonly requestModels = new Map<string, RequestModel>();
  private readonly integrations = new Map<ModelFunction, Integration>();

  constructor(scope: Construct, id: string, props: ApiRoutesProps) {
    super(scope, id);
    this.restApi = props.restApi;
    this.authorizer = props.authorizer;
    this.functions = props.functions;
    this.validator = new RequestValidator(this, 'Validator', {
      restApi: props.restApi,
      validateRequestBody: true,
      validateRequestParameters: true,
    });
    this.addRoutes(SHARED_ROUTES, ({ task }) => {
      const first = props.routeModels.find((group) => group.task === task)?.first;
      return props.functions.find(({ model }) => model === first);
    });
    const before = countResources(this.restApi);
    for (const fn of props.functions) {
      for (const name of namesOf(fn.model.manifest)) this.addRoutes(modelRoutes(name), () => fn, name);
    }
    this.resourcesPerModel = Math.ceil((countResources(this.restApi) - before) / props.functions.length);
    this.addUnknownModels();
    this.addUnknownPaths();
  }

  /** @param name - Name of the model, for the routes of a model. */
  private addRoutes(
    routes: readonly Route[],
    functionOf: (route: Route) => ModelFunction | undefined,
    name?: string,
  ): void {
    for (const route of routes) this.addRoute(route, functionOf(route), name);
    for (const [path, ofPath] of Map.groupBy(routes, (route) => route.path)) {
      const methods = allowedMethods(routes, path).join(', ');
      const isOpen = ofPath.every(({ access }) => access === 'open');
      addProblem(this.resource(path), {
        code: 'METHOD_NOT_ALLOWED',
        detail: `the route accepts ${methods} only`,
        admission: this.authorizer.methodOptions(isOpen ? 'open' : 'caller'),
        headers: { Allow: methods },
      });
    }
  }

  private addRoute(route: Route, fn: ModelFunction | undefined, name?: string): void {
    const resource = this.resource(route.path);
    const { method } = route;
    const admission = this.authorizer.methodOptions(route.access);
    if (route.answeredBy === 'document') {
      const models = this.functions.map(({ model }) => model.packed);
      const described = fn && { packed: fn.model.packed, name };
      addDocument(resource, routeDocument(route.operation, models, described), { method, admission });
      return;
    }
    if (fn === undefined) {
      addProblem(resource, {
        code: 'MODEL_NOT_FOUND',
        detail: `no ${route.task} model is deployed`,
        method,
        admission,
      });
      return;
    }
    const requestModel = this.requestModel(route.operation);
    resource.addMethod(method, this.integration(fn), {
      ...admission,
      requestParameters: Object.fromEntries(pathParameters(route.path).map((name) => [name, true])),
      requestValidator: this.validator,
      requestModels: requestModel && { 'application/json': requestModel },
    });
  }

  /** Lists the known models if a path names another one. */
  private addUnknownModels(): void {
    const known = this.functions.flatMap(({ model }) => namesOf(model.manifest)).join(', ');
    const detail = `no model or route has this path, known models: ${known}`;
    const admission = this.authorizer.methodOptions('caller');
    for (const path of ['/v1/models/{model}', '/v2/models/{model}', '/v2/models/{model}/{proxy+}']) {
      addProblem(this.resource(path), { code: 'MODEL_NOT_FOUND', detail, admission });
    }
  }

  /**
   * Without these methods API Gateway would take the `Authorization` header of a request for a signature of AWS, and
   * respond with 403 instead of 404. Paths below `/v2` have a method of their own for the form of their errors.
   */
  private addUnknownPaths(): void {
    const admission = this.authorizer.methodOptions('open');
    for (const path of UNKNOWN_PATHS) {
      addProblem(this.resource(path), { code: 'ROUTE_NOT_FOUND', detail: 'no route has this path', admission });
    }
  }

  private resource(path: string) {
    return this.restApi.root.resourceForPath(path);
  }

  /** The gateway may invoke the alias for this API's stage, with one permission for all routes. */
  private integration(fn: ModelFunction): Integration {
    const existing = this.integrations.get(fn);
    if (existing !== undefined) return existing;
    fn.alias.addPermission('Gateway', {
      principal: new ServicePrincipal('apigateway.amazonaws.com'),
      sourceArn: methodArns(this.restApi),
    });
    const integration = new AwsIntegration({
      service: 'lambda',
      path: `2015-03-31/functions/${fn.alias.functionArn}/invocations`,
      proxy: true,
    });
    this.integrations.set(fn, integration);
    return integration;
  }

  /**
   * Requires a JSON object and nothing more: API Gateway's response to an invalid body is always the same, that of the
   * function names the member.
   */
  private requestModel(operation: string): RequestModel | undefined {
    const members = BODY_MEMBERS[operation];
    if (members === undefined || this.requestModels.has(operation)) return this.requestModels.get(operation);
    const requestModel = this.restApi.addModel(`${operation}-request`, {
      contentType: 'application/json',
      description: `Body of a request for ${operation}`,
      schema: {
        schema: JsonSchemaVersion.DRAFT4,
        title: `${operation} request`,
        type: JsonSchemaType.OBJECT,
        properties: Object.fromEntries(members.map((member) => [member, {}])),
      },
    });
    this.requestModels.set(operation, requestModel);
    return requestModel;
  }
}

function pathParameters(path: string): readonly string[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => `method.request.path.${name}`);
}
