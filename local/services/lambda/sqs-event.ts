import { LOCAL_ACCOUNT } from '../../template/account.ts';
import type { ReceivedMessage } from '../sqs/queue-engine.ts';

/** Bytes of records that one invocation takes: Lambda's payload limit of 6 MiB, less room for the envelope. */
const MAX_EVENT_BYTES = 6_000_000;

/**
 * Writes messages as the event that a function gets.
 *
 * @see {@link https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html}
 */
export function sqsEvent(messages: readonly ReceivedMessage[], queueArn: string): string {
  return JSON.stringify({ Records: messages.map((message) => recordOf(message, queueArn)) });
}

/** Splits messages into groups that fit one invocation each. */
export function splitByBytes(messages: readonly ReceivedMessage[]): ReceivedMessage[][] {
  const groups: ReceivedMessage[][] = [];
  let room = 0;
  for (const message of messages) {
    // The body travels as a JSON string, in which quotes are escaped.
    const bytes = Buffer.byteLength(JSON.stringify(message));
    let group = groups.at(-1);
    if (group === undefined || bytes > room) {
      group = [];
      groups.push(group);
      room = MAX_EVENT_BYTES;
    }
    group.push(message);
    room -= bytes;
  }
  return groups;
}

/**
 * Reads which messages a function has not dealt with.
 *
 * @param result - The function's result, which reports item failures.
 * @param ids - Ids of the messages that it got.
 * @returns Their ids: all of them if the result cannot be understood, as on AWS.
 */
export function failedItems(result: Buffer, ids: readonly string[]): ReadonlySet<string> {
  const all = new Set(ids);
  const text = result.toString().trim();
  if (text === '' || text === 'null' || text === '{}') return new Set();
  try {
    const { batchItemFailures: failures } = JSON.parse(text) as { batchItemFailures?: unknown };
    if (failures === undefined || failures === null) return new Set();
    if (!Array.isArray(failures)) return all;
    const failed = failures.map((failure: unknown) => identifierOf(failure) ?? '');
    return failed.every((id) => all.has(id)) ? new Set(failed) : all;
  } catch {
    return all;
  }
}

function identifierOf(failure: unknown): string | undefined {
  if (typeof failure !== 'object' || failure === null || !('itemIdentifier' in failure)) return undefined;
  return typeof failure.itemIdentifier === 'string' ? failure.itemIdentifier : undefined;
}

function recordOf(message: ReceivedMessage, queueArn: string) {
  const attributes = Object.entries(message.MessageAttributes ?? {}).map(([name, value]) => [
    name,
    {
      stringValue: value.StringValue,
      binaryValue: value.BinaryValue,
      stringListValues: [],
      binaryListValues: [],
      dataType: value.DataType,
    },
  ]);
  const { MD5OfMessageAttributes: md5 } = message;
  return {
    messageId: message.MessageId,
    receiptHandle: message.ReceiptHandle,
    body: message.Body,
    attributes: message.Attributes,
    messageAttributes: Object.fromEntries(attributes),
    md5OfBody: message.MD5OfBody,
    md5OfMessageAttributes: md5,
    eventSource: 'aws:sqs',
    eventSourceARN: queueArn,
    awsRegion: LOCAL_ACCOUNT.region,
  };
}
