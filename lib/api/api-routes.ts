import { Stack } from 'aws-cdk-lib';
import { AwsIntegration, type Integration, type RestApi } from 'aws-cdk-lib/aws-apigateway';
import { ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { allowedMethods, type Route, SHARED_ROUTES, UNKNOWN_PATHS } from '../../core/api/routes.ts';
import { namesOf } from '../../core/models/model-names.ts';
import { countResources, MAX_STACK_RESOURCES } from '../limits/stack-size.ts';
import type { RouteModels } from '../packaging/route-models.ts';
import type { CallerAuthorizer } from './caller-authorizer.ts';
import { FunctionMethods } from './function-methods.ts';
import { methodArns } from './method-arns.ts';
import type { ModelFunction } from './model-function.ts';
import {
  addFewPaths,
  addOwnPaths,
  addSharedMetadata,
  type ModelName,
  type ModelRoutesProps,
  RESOURCES_OF_OWN_PATHS,
} from './model-routes.ts';
import { routeDocument } from './route-document.ts';
import { addDocument, addProblem } from './static-method.ts';

/** Settings of {@link ApiRoutes}. */
export interface ApiRoutesProps {
  /** The API to add the routes to. */
  readonly restApi: RestApi;
  /** Admits the callers of its methods. */
  readonly authorizer: CallerAuthorizer;
  /** One function for each model, in the order in which models are listed. The routes of a model are beside its function. */
  readonly functions: readonly ModelFunction[];
  /** The models behind routes that several models share; a route without any responds with MODEL_NOT_FOUND. */
  readonly routeModels: readonly RouteModels[];
}

/** Resources that are added after the routes of models: responses to unknown models and paths, and models of requests. */
const LATER_RESOURCES = 20;

/** Every route of an API: those of the models, the shared ones, and error responses for paths and methods without a route. */
export class ApiRoutes extends Construct {
  readonly #props: ApiRoutesProps;
  readonly #methods: FunctionMethods;
  readonly #integrations: ReadonlyMap<ModelFunction, Integration>;

  constructor(scope: Construct, id: string, props: ApiRoutesProps) {
    super(scope, id);
    this.#props = props;
    this.#methods = new FunctionMethods(this, props);
    this.#integrations = new Map(props.functions.map((fn) => [fn, integrate(fn, props)]));
    this.#addSharedRoutes();
    this.#addModelRoutes();
    this.#addUnknownModels();
    this.#addUnknownPaths();
  }

  #addSharedRoutes(): void {
    for (const route of SHARED_ROUTES) this.#addRoute(route);
    for (const [path, ofPath] of Map.groupBy(SHARED_ROUTES, (route) => route.path)) {
      const methods = allowedMethods(SHARED_ROUTES, path).join(', ');
      const isOpen = ofPath.every(({ access }) => access === 'open');
      addProblem(this.#resource(path), {
        code: 'METHOD_NOT_ALLOWED',
        detail: `the route accepts ${methods} only`,
        admission: this.#props.authorizer.methodOptions(isOpen ? 'open' : 'caller'),
        headers: { Allow: methods },
      });
    }
  }

  #addRoute(route: Route): void {
    const { authorizer, functions, routeModels } = this.#props;
    const resource = this.#resource(route.path);
    const { method } = route;
    const admission = authorizer.methodOptions(route.access);
    if (route.answeredBy === 'document') {
      const models = functions.map(({ model }) => model.packed);
      addDocument(resource, routeDocument(route.operation, models), { method, admission });
      return;
    }
    const first = routeModels.find(({ task }) => task === route.task)?.first;
    const fn = functions.find(({ model }) => model === first);
    const integration = fn && this.#integrations.get(fn);
    if (integration !== undefined) this.#methods.add(resource, route, integration);
    else
      addProblem(resource, {
        code: 'MODEL_NOT_FOUND',
        detail: `no ${route.task} model is deployed`,
        method,
        admission,
      });
  }

  /** Few models have a path for each route; many would exceed the resources of a stack, and share what they can. */
  #addModelRoutes(): void {
    const { authorizer, functions } = this.#props;
    const models = functions.map(({ model }) => model.packed);
    const pathOf = (path: string) => this.#resource(path);
    const settings: ModelRoutesProps = { pathOf, models, authorizer, methods: this.#methods };
    const named = this.#namedModels();
    const resources = countResources(Stack.of(this)) + named.length * RESOURCES_OF_OWN_PATHS + LATER_RESOURCES;
    if (resources <= MAX_STACK_RESOURCES) {
      for (const one of named) addOwnPaths(one, settings);
      return;
    }
    for (const one of named) addFewPaths(one, settings);
    addSharedMetadata(named, this.#unknownModel(), settings);
  }

  #namedModels(): readonly ModelName[] {
    return [...this.#integrations].flatMap(([fn, integration]) =>
      namesOf(fn.model.manifest).map((name) => ({ name, packed: fn.model.packed, integration, scope: fn })),
    );
  }

  /** Lists the known models if a path names another one. */
  #addUnknownModels(): void {
    const admission = this.#props.authorizer.methodOptions('caller');
    for (const path of ['/v1/models/{model}', '/v2/models/{model}', '/v2/models/{model}/{proxy+}']) {
      addProblem(this.#resource(path), { ...this.#unknownModel(), admission });
    }
  }

  #unknownModel() {
    const known = this.#props.functions.flatMap(({ model }) => namesOf(model.manifest)).join(', ');
    return { code: 'MODEL_NOT_FOUND', detail: `no model or route has this path, known models: ${known}` } as const;
  }

  /**
   * Without these methods API Gateway would take the `Authorization` header of a request for a signature of AWS, and
   * respond with 403 instead of 404. Paths below `/v2` have a method of their own for the form of their errors.
   */
  #addUnknownPaths(): void {
    const admission = this.#props.authorizer.methodOptions('open');
    for (const path of UNKNOWN_PATHS) {
      addProblem(this.#resource(path), { code: 'ROUTE_NOT_FOUND', detail: 'no route has this path', admission });
    }
  }

  #resource(path: string) {
    return this.#props.restApi.root.resourceForPath(path);
  }
}

/** The gateway may invoke the alias for this API's stage, with one permission for all routes. */
function integrate(fn: ModelFunction, { restApi }: ApiRoutesProps): Integration {
  fn.alias.addPermission('Gateway', {
    principal: new ServicePrincipal('apigateway.amazonaws.com'),
    sourceArn: methodArns(restApi),
  });
  return new AwsIntegration({
    service: 'lambda',
    path: `2015-03-31/functions/${fn.alias.functionArn}/invocations`,
    proxy: true,
  });
}
