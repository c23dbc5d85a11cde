import * as v from 'valibot';
import type { ApiPlan } from '../../template/plan-apis.ts';
import { type Exchange, type HeaderLines, type HttpResponse, headerOf } from './exchange.ts';
import { GatewayError } from './gateway-error.ts';
import { firstAccepted, isBinary } from './media-types.ts';

const headerValue = v.union([v.string(), v.number(), v.boolean()]);

/** A list is an object to JavaScript, and to the record below. */
const noList = v.custom<object>((value) => !Array.isArray(value));

const responseSchema = v.object({
  statusCode: v.pipe(
    v.union([v.number(), v.string()]),
    v.transform(Number),
    v.integer(),
    v.minValue(100),
    v.maxValue(599),
  ),
  headers: v.nullish(v.pipe(noList, v.record(v.string(), v.nullish(headerValue)))),
  multiValueHeaders: v.nullish(v.pipe(noList, v.record(v.string(), v.array(headerValue)))),
  body: v.nullish(v.string()),
  isBase64Encoded: v.nullish(v.boolean()),
});

/** Headers that API Gateway sets itself: those of a function are returned under another name. */
const REMAPPED = new Set(['connection', 'content-length', 'date', 'server', 'www-authenticate']);

/** Headers that only concern the connection to the function. */
const DROPPED = new Set(['transfer-encoding', 'upgrade', 'trailer']);

/**
 * Turns what a Lambda proxy integration returned into the response for the client.
 *
 * @throws GatewayError `DEFAULT_5XX` when it is malformed.
 */
export function proxyResponse(api: ApiPlan, exchange: Exchange, payload: Buffer): HttpResponse {
  const { statusCode, headers, multiValueHeaders, body, isBase64Encoded } = read(payload);
  const lines: HeaderLines = [
    ...Object.entries(headers ?? {})
      .filter(([name]) => !has(multiValueHeaders ?? {}, name))
      .flatMap(([name, value]) => (value === null || value === undefined ? [] : [remap(name, value)])),
    ...Object.entries(multiValueHeaders ?? {}).flatMap(([name, values]) => values.map((value) => remap(name, value))),
  ].filter(([name]) => !DROPPED.has(name.toLowerCase()));
  const accepted = firstAccepted(headerOf(exchange.headers, 'accept'));
  const decoded = isBase64Encoded === true && accepted !== undefined && isBinary(accepted, api.binaryMediaTypes);
  return {
    status: statusCode,
    headers: headerOf(lines, 'content-type') === undefined ? [['Content-Type', 'application/json'], ...lines] : lines,
    body: Buffer.from(body ?? '', decoded ? 'base64' : 'utf8'),
  };
}

function read(payload: Buffer): v.InferOutput<typeof responseSchema> {
  try {
    return v.parse(responseSchema, JSON.parse(payload.toString()));
  } catch (cause) {
    throw new GatewayError('DEFAULT_5XX', undefined, { cause });
  }
}

function remap(name: string, value: string | number | boolean): readonly [string, string] {
  return [REMAPPED.has(name.toLowerCase()) ? `x-amzn-Remapped-${name}` : name, String(value)];
}

function has(headers: Readonly<Record<string, unknown>>, name: string): boolean {
  return Object.keys(headers).some((key) => key.toLowerCase() === name.toLowerCase());
}
