import { type MessageAttributeValue, SendMessageCommand, type SQSClient } from '@aws-sdk/client-sqs';
import type { SQSRecord } from 'aws-lambda';
import type { ErrorCode } from '../../../core/errors.ts';
import { DEAD_LETTER_ATTRIBUTES } from '../../../core/jobs/dead-letter.ts';
import { callAws } from '../aws/client-settings.ts';

/** Most attributes of a message (SQS API reference), and those that a dead letter needs for itself. */
const MOST_ATTRIBUTES = 10;
const OWN_ATTRIBUTES = Object.keys(DEAD_LETTER_ATTRIBUTES).length;

/** Most characters of a reason. */
const MOST_CHARACTERS = 1024;

/** Characters that a message may not hold (SQS API reference, `SendMessage`); beyond the basic plane not all servers agree. */
const NOT_SENDABLE = /[^\t\n\r -\uD7FF\uE000-\uFFFD]/g;

/** Why nobody could process a message. */
export interface Reason {
  readonly code: ErrorCode;
  readonly message: string;
  /** URL of the queue that it came from: where to put it back to; undefined where that is not known. */
  readonly sourceQueue: string | undefined;
}

/** The operators' queue. */
export interface DeadLetters {
  /** Keeps a message with the reason, its own attributes beside it. */
  park(record: Pick<SQSRecord, 'body' | 'messageAttributes'>, reason: Reason): Promise<void>;
}

/**
 * Opens the operators' queue.
 *
 * @param url - URL of the queue.
 */
export function openDeadLetters(client: SQSClient, url: string): DeadLetters {
  return {
    park: async ({ body, messageAttributes }, reason) => {
      const command = new SendMessageCommand({
        QueueUrl: url,
        MessageBody: body,
        MessageAttributes: { ...originals(messageAttributes), ...attributesOf(reason) },
      });
      await callAws('the dead-letter queue', () => client.send(command));
    },
  };
}

function attributesOf({ code, message, sourceQueue }: Reason): Record<string, MessageAttributeValue> {
  const { errorCode, errorMessage, sourceQueue: source } = DEAD_LETTER_ATTRIBUTES;
  const sendable = message.replace(NOT_SENDABLE, ' ').slice(0, MOST_CHARACTERS);
  return {
    ...{ [errorCode]: text(code), [errorMessage]: text(sendable || code) },
    ...(sourceQueue === undefined ? {} : { [source]: text(sourceQueue) }),
  };
}

function text(value: string): MessageAttributeValue {
  return { DataType: 'String', StringValue: value };
}

function originals(attributes: SQSRecord['messageAttributes']): Record<string, MessageAttributeValue> {
  const own: readonly string[] = Object.values(DEAD_LETTER_ATTRIBUTES);
  const kept = Object.entries(attributes).filter(([name]) => !own.includes(name));
  return sendableAttributes(Object.fromEntries(kept.slice(0, MOST_ATTRIBUTES - OWN_ATTRIBUTES)));
}

/** Turns the attributes of a received message into those of one to send. */
export function sendableAttributes(attributes: SQSRecord['messageAttributes']): Record<string, MessageAttributeValue> {
  return Object.fromEntries(
    Object.entries(attributes).map(([name, { dataType, stringValue, binaryValue }]) => [
      name,
      {
        DataType: dataType,
        ...(stringValue === undefined ? {} : { StringValue: stringValue }),
        ...(binaryValue === undefined ? {} : { BinaryValue: Buffer.from(binaryValue, 'base64') }),
      },
    ]),
  );
}
