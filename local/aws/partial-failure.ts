import type { AwsRequest, AwsResponse } from './aws-service.ts';

type Wire = Record<string, unknown>;

/** A request of which a service is to do half. */
export interface HalvedRequest {
  /** The half to do; undefined if that is nothing. */
  readonly body: Buffer | undefined;
  /** Adds the other half to the response, as unprocessed. */
  complete(response: Wire): Wire;
}

/** Operations that may succeed for some entries only, by the end of their `x-amz-target`. */
const HALVES: Readonly<Record<string, (input: Wire) => { readonly kept: Wire | undefined; readonly rest: Wire }>> = {
  SendMessageBatch: (input) => {
    const [kept, failed] = halves(input['Entries']);
    const error = { SenderFault: false, Code: 'InternalError', Message: 'an injected fault' };
    return {
      kept: kept.length === 0 ? undefined : { ...input, Entries: kept },
      rest: { Successful: [], Failed: failed.map(({ Id: id }) => ({ Id: id, ...error })) },
    };
  },
  PutEvents: (input) => {
    const [kept, failed] = halves(input['Entries']);
    const error = { ErrorCode: 'InternalFailure', ErrorMessage: 'an injected fault' };
    return {
      kept: kept.length === 0 ? undefined : { ...input, Entries: kept },
      rest: { Entries: failed.map(() => error), FailedEntryCount: failed.length },
    };
  },
  BatchGetItem: (input) => {
    const [table, request] = onlyTable(input);
    const [kept, rest] = halves(request['Keys']);
    return {
      kept: kept.length === 0 ? undefined : { ...input, RequestItems: { [table]: { ...request, Keys: kept } } },
      rest: { Responses: {}, UnprocessedKeys: { [table]: { ...request, Keys: rest } } },
    };
  },
  BatchWriteItem: (input) => {
    const [table, requests] = onlyTable(input);
    const [kept, rest] = halves(requests);
    return {
      kept: kept.length === 0 ? undefined : { ...input, RequestItems: { [table]: kept } },
      rest: { UnprocessedItems: { [table]: rest } },
    };
  },
};

/**
 * Halves a batch request of SQS, DynamoDB or EventBridge.
 *
 * @returns Undefined if the operation succeeds or fails as a whole.
 */
export function halveRequest({ headers, body }: AwsRequest): HalvedRequest | undefined {
  const operation = String(headers['x-amz-target']).split('.').at(-1) ?? '';
  const halve = Object.hasOwn(HALVES, operation) ? HALVES[operation] : undefined;
  if (halve === undefined) return undefined;
  const { kept, rest } = halve(JSON.parse(body.toString()) as Wire);
  return {
    body: kept === undefined ? undefined : Buffer.from(JSON.stringify(kept)),
    complete: (response) => merge(response, rest),
  };
}

/** Completes the response of a service to the half that it did. */
export function withOtherHalf(halved: HalvedRequest, response: AwsResponse | undefined): AwsResponse {
  const done = response === undefined ? {} : (JSON.parse(response.body.toString()) as Wire);
  return {
    status: 200,
    headers: { 'content-type': 'application/x-amz-json-1.0' },
    body: JSON.stringify(halved.complete(done)),
  };
}

function halves(entries: unknown): [Wire[], Wire[]] {
  const all = Array.isArray(entries) ? (entries as Wire[]) : [];
  const half = Math.floor(all.length / 2);
  return [all.slice(0, half), all.slice(half)];
}

/** Functions ask for items of one table at a time. */
function onlyTable({ RequestItems: items }: Wire): [string, Wire] {
  const [entry] = Object.entries((items ?? {}) as Record<string, Wire>);
  return entry ?? ['', {}];
}

/** Lists are joined, all else is taken from the rest. */
function merge(done: Wire, rest: Wire): Wire {
  const members = Object.entries(rest).map(([name, value]) => {
    const own = done[name];
    if (Array.isArray(value) && Array.isArray(own)) return [name, [...own, ...value]];
    return [name, name === 'Responses' ? (own ?? value) : value];
  });
  return { ...done, ...Object.fromEntries(members) };
}
