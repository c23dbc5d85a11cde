import { type Integration, type IResource, Resource } from 'aws-cdk-lib/aws-apigateway';
import type { Construct } from 'constructs';
import { allowedMethods, isBelowModel, modelRoutes, type Route } from '../../core/api/routes.ts';
import type { PackedModel } from '../../core/models/packed-model.ts';
import type { CallerAuthorizer } from './caller-authorizer.ts';
import type { FunctionMethods } from './function-methods.ts';
import { type NamedModel, routeDocument } from './route-document.ts';
import { addDocument, addProblem, addSelectedDocument } from './static-method.ts';

/** A name of a model, and what its routes need. */
export interface ModelName {
  /** The id or an alias. */
  readonly name: string;
  readonly packed: PackedModel;
  /** Invokes the function of the model. */
  readonly integration: Integration;
  /** Construct in the stack of the model. */
  readonly scope: Construct;
}

/** Settings of routes of models. */
export interface ModelRoutesProps {
  /** Finds the path of a route in the stack of the API. */
  readonly pathOf: (path: string) => IResource;
  /** Every model of the API. */
  readonly models: readonly PackedModel[];
  readonly authorizer: CallerAuthorizer;
  readonly methods: FunctionMethods;
}

/** Resources that {@link addOwnPaths} adds to the stack of the API for each name of a model. */
export const RESOURCES_OF_OWN_PATHS = 25;

/**
 * Adds the routes of a name of a model, each with a path of its own, to the stack of the API.
 *
 * Every deployment of a release without nested stacks has these paths. They cannot move to another stack, because CloudFormation
 * creates the new ones before it deletes the old ones, and API Gateway has each path once.
 */
export function addOwnPaths({ name, packed, integration }: ModelName, props: ModelRoutesProps): void {
  const { pathOf, models, methods, authorizer } = props;
  const routes = modelRoutes(name);
  for (const route of routes) {
    const path = pathOf(route.path);
    if (route.answeredBy === 'function') {
      methods.add(path, route, integration);
      continue;
    }
    const document = routeDocument(route.operation, models, { packed, name });
    addDocument(path, document, { method: route.method, admission: authorizer.methodOptions(route.access) });
  }
  for (const path of new Set(routes.map((route) => route.path))) addMethodNotAllowed(routes, path, props);
}

/**
 * Adds the routes of a name of a model with few paths: the function serves every path below `/v2/models/{name}`, which is in the
 * stack of the model, and responds with 404 and 405 itself. `/v1/models/{name}` has no path: {@link addSharedMetadata} serves it.
 *
 * The paths in the stack of the API are some of those of {@link addOwnPaths}, so a deployment can grow and shrink.
 */
export function addFewPaths({ name, packed, integration, scope }: ModelName, props: ModelRoutesProps): void {
  const { pathOf, models, methods, authorizer } = props;
  const routes = modelRoutes(name);
  methods.add(pathOf(`/v1/models/${name}:predict`), { method: 'ANY', access: 'caller' }, integration);
  const parent = pathOf(`/v2/models/${name}`);
  addSelectedDocument(parent, {
    documents: { GET: routeDocument('model-metadata', models, { packed, name }) },
    by: '$context.httpMethod',
    otherwise: methodNotAllowed(routes, parent.path),
    method: 'ANY',
    admission: authorizer.methodOptions('caller'),
  });
  const pathPart = '{proxy+}';
  const below = new Resource(scope, `${parent.path}/${pathPart}`, { parent, pathPart });
  const infer = routes.find((route) => isBelowModel(route, name) && route.method === 'POST');
  if (infer !== undefined) methods.add(below, infer, integration);
  methods.add(below, { method: 'ANY', access: 'caller' }, integration);
}

/** Adds one method that returns the metadata of every model at `/v1/models/{model}`. */
export function addSharedMetadata(
  named: readonly NamedModel[],
  unknown: { readonly code: 'MODEL_NOT_FOUND'; readonly detail: string },
  { pathOf, models, authorizer }: ModelRoutesProps,
): void {
  const documents = named.map((one) => [one.name ?? '', routeDocument('openai-model', models, one)] as const);
  addSelectedDocument(pathOf('/v1/models/{model}'), {
    documents: Object.fromEntries(documents),
    by: '$input.params("model")',
    otherwise: unknown,
    method: 'GET',
    admission: authorizer.methodOptions('caller'),
  });
}

function addMethodNotAllowed(routes: readonly Route[], path: string, { pathOf, authorizer }: ModelRoutesProps): void {
  addProblem(pathOf(path), { ...methodNotAllowed(routes, path), admission: authorizer.methodOptions('caller') });
}

function methodNotAllowed(routes: readonly Route[], path: string) {
  const allowed = allowedMethods(routes, path).join(', ');
  const detail = `the route accepts ${allowed} only`;
  return { code: 'METHOD_NOT_ALLOWED', detail, headers: { Allow: allowed } } as const;
}
