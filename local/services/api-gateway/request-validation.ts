import AjvDraft04, { type ValidateFunction } from 'ajv-draft-04';
import type { MethodPlan } from '../../template/plan-apis.ts';
import { type Exchange, headerOf } from './exchange.ts';
import { GatewayError } from './gateway-error.ts';
import { mediaTypeOf } from './media-types.ts';

/** Checks a request before its integration sees it. */
export type RequestValidation = (exchange: Exchange) => void;

// The export is CommonJS: its class is the default member of the default export.
const ajv = new AjvDraft04.default({ strict: false, validateFormats: false });

/**
 * Compiles the request validator of a method.
 *
 * Parameters must be there and not blank. Bodies are validated when a model is there for their content type, else not.
 *
 * @returns A check that throws GatewayError `BAD_REQUEST_PARAMETERS` or `BAD_REQUEST_BODY`.
 */
export function compileValidation(method: MethodPlan): RequestValidation {
  const schemas = new Map(Object.entries(method.bodySchemas).map(([type, schema]) => [type, ajv.compile(schema)]));
  return (exchange) => {
    const missing = method.requiredParameters.filter((parameter) => !isPresent(parameter, exchange));
    if (missing.length > 0) {
      const names = missing.map((parameter) => parameter.split('.').slice(3).join('.')).join(', ');
      throw new GatewayError('BAD_REQUEST_PARAMETERS', `Missing required request parameters: [${names}]`);
    }
    const type = mediaTypeOf(headerOf(exchange.headers, 'content-type'));
    const schema = schemas.get(type) ?? schemas.get('$default');
    if (schema !== undefined && !matches(schema, exchange.body)) throw new GatewayError('BAD_REQUEST_BODY');
  };
}

function isPresent(parameter: string, { query, headers, pathParameters }: Exchange): boolean {
  const [, , location, ...rest] = parameter.split('.');
  const name = rest.join('.');
  const values: Readonly<Record<string, string | null | undefined>> = {
    header: headerOf(headers, name.toLowerCase()),
    path: pathParameters?.[name],
    querystring: query.get(name),
  };
  return (values[location ?? ''] ?? '').trim() !== '';
}

function matches(validate: ValidateFunction, body: Buffer): boolean {
  try {
    return validate(JSON.parse(body.toString()));
  } catch {
    return false;
  }
}
