import * as v from 'valibot';
import type { AwsRequest, AwsResponse, AwsService } from '../../aws/aws-service.ts';
import type { IamRequest } from '../../iam/policy.ts';
import { localArn } from '../../template/account.ts';
import { isJsonObject, type JsonObject } from '../../template/json.ts';
import { eventBusName } from '../../template/physical-names.ts';
import type { EventRouter } from './event-router.ts';

/** EventBridge's limits of one request. */
const MAX_ENTRIES = 10;
const MAX_BYTES = 262_144;

/** Bytes that the time of an entry counts for. */
const TIME_BYTES = 14;

const entrySchema = v.object({
  Source: v.nullish(v.string()),
  DetailType: v.nullish(v.string()),
  Detail: v.nullish(v.string()),
  EventBusName: v.nullish(v.string()),
  Resources: v.nullish(v.array(v.string()), []),
  /** Seconds since the Unix epoch. */
  Time: v.nullish(v.number()),
});

const requestSchema = v.object({ Entries: v.array(entrySchema) });

type Entry = v.InferOutput<typeof entrySchema>;

/** Outcome of one entry. */
type EntryResult = { readonly EventId: string } | { readonly ErrorCode: string; readonly ErrorMessage: string };

/** EventBridge's JSON protocol before the buses: `PutEvents`. */
export class EventBridgeService implements AwsService {
  readonly signingName = 'events';
  readonly #router: EventRouter;

  constructor(router: EventRouter) {
    this.#router = router;
  }

  permissions(request: AwsRequest): readonly IamRequest[] | undefined {
    if (request.headers['x-amz-target'] !== 'AWSEvents.PutEvents') return undefined;
    const buses = new Set((readEntries(request) ?? []).map(busOf));
    return [...buses].map((bus) => ({ action: 'events:PutEvents', resource: localArn('events', `event-bus/${bus}`) }));
  }

  respond(request: AwsRequest): Promise<AwsResponse> {
    return Promise.resolve(this.#putEvents(readEntries(request)));
  }

  error(status: number, type: string, message: string): AwsResponse {
    return json(status === 403 ? 400 : status, { __type: type, message });
  }

  #putEvents(entries: readonly Entry[] | undefined): AwsResponse {
    if (entries === undefined) return this.error(400, 'SerializationException', 'the request is not of its form');
    if (entries.length === 0 || entries.length > MAX_ENTRIES) {
      const message = `Value at 'entries' failed to satisfy constraint: Member must have length between 1 and ${MAX_ENTRIES}`;
      return this.error(400, 'ValidationException', `1 validation error detected: ${message}`);
    }
    if (entries.reduce((sum, entry) => sum + bytesOf(entry), 0) > MAX_BYTES) {
      return this.error(400, 'ValidationException', 'Total size of the entries in the request is over the limit.');
    }
    const results = entries.map((entry) => this.#put(entry));
    const failed = results.filter((result) => 'ErrorCode' in result).length;
    return json(200, { FailedEntryCount: failed, Entries: results });
  }

  #put(entry: Entry): EntryResult {
    const { Source: source, DetailType: detailType, Detail: detail, Time: time } = entry;
    if (!source) return invalid('Source');
    if (!detailType) return invalid('DetailType');
    if (!detail) return invalid('Detail');
    if (source.startsWith('aws.')) {
      return { ErrorCode: 'NotAuthorizedForSourceException', ErrorMessage: 'Not authorized for the source.' };
    }
    const value = parseDetail(detail);
    if (value === undefined) return { ErrorCode: 'MalformedDetail', ErrorMessage: 'Detail is malformed.' };
    const bus = busOf(entry);
    if (!this.#router.has(bus)) {
      return { ErrorCode: 'ResourceNotFoundException', ErrorMessage: `Event bus ${bus} does not exist.` };
    }
    const timeMs = time == null ? undefined : time * 1000;
    const resources = entry.Resources ?? [];
    return { EventId: this.#router.put({ bus, source, detailType, detail: value, resources, timeMs }) };
  }
}

function readEntries(request: AwsRequest): readonly Entry[] | undefined {
  try {
    const result = v.safeParse(requestSchema, JSON.parse(request.body.toString()));
    return result.success ? result.output.Entries : undefined;
  } catch {
    return undefined;
  }
}

function busOf({ EventBusName: name }: Entry): string {
  return eventBusName(name ?? undefined);
}

function bytesOf({
  Source: source,
  DetailType: type,
  Detail: detail,
  Resources: resources,
  Time: time,
}: Entry): number {
  const texts = [source ?? '', type ?? '', detail ?? '', ...(resources ?? [])];
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text), time == null ? 0 : TIME_BYTES);
}

function parseDetail(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function invalid(parameter: string): EntryResult {
  const message = `Parameter ${parameter} is not valid. Reason: ${parameter} is a required argument.`;
  return { ErrorCode: 'InvalidArgument', ErrorMessage: message };
}

function json(status: number, value: object): AwsResponse {
  return { status, headers: { 'content-type': 'application/x-amz-json-1.1' }, body: JSON.stringify(value) };
}
