import type { MethodPlan } from '../../template/plan-apis.ts';

/** Header names and values in the order and case in which they came. */
export type HeaderLines = readonly (readonly [name: string, value: string])[];

/** An API key that a request presented, with its plan. */
export interface PresentedKey {
  readonly id: string;
  readonly name: string;
  readonly value: string;
  readonly plan: string;
}

/** The result of an authorizer for one request. */
export interface Authorization {
  readonly principalId: string;
  /** Values for the integration and for `$context.authorizer`, all of them text. */
  readonly context: Readonly<Record<string, string>>;
  /** Value of the API key that meters the request, where the API asks the authorizer for it. */
  readonly usageIdentifierKey: string | undefined;
}

/** A request on its way through the gateway, and the facts found out about it so far. */
export interface Exchange {
  readonly requestId: string;
  readonly extendedRequestId: string;
  readonly startedAtMs: number;
  readonly httpMethod: string;
  /** Path as the client sent it, stage included. */
  readonly fullPath: string;
  /** Path inside the stage. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly protocol: string;
  readonly sourceIp: string;
  readonly domainName: string;
  /** Headers; once the body is decompressed, without its coding. */
  headers: HeaderLines;
  /** Body; decompressed before anything looks at it. */
  body: Buffer;
  method?: MethodPlan;
  pathParameters?: Readonly<Record<string, string>>;
  key?: PresentedKey;
  authorization?: Authorization;
  /** Whether an execution environment had to be started. */
  coldStart?: boolean;
  /** Error of the function, which only the developer sees. */
  functionError?: string;
}

/** Response to the client. */
export interface HttpResponse {
  readonly status: number;
  readonly headers: HeaderLines;
  readonly body: Buffer;
}

/** Returns the last value of a header, names compared without case. */
export function headerOf(headers: HeaderLines, name: string): string | undefined {
  return headers.findLast(([key]) => key.toLowerCase() === name)?.[1];
}
