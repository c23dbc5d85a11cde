import { type MessageAttributeValue, SendMessageCommand, type SQSClient } from '@aws-sdk/client-sqs';
import type { SQSRecord } from 'aws-lambda';
import { type AppError, type ErrorCode, toAppError } from '../../../core/errors.ts';
import { DEAD_LETTER_ATTRIBUTES } from '../../../core/jobs/dead-letter.ts';
import { groupOfCopy } from '../../../core/jobs/message-group.ts';
import { callAws } from '../aws/client-settings.ts';
import type { Verdict } from './handle-each.ts';
import { sendableText } from './sqs-text.ts';

/** Maximum attributes of a message (SQS API reference), and those that a dead letter needs for itself. */
const MAX_ATTRIBUTES = 10;
const OWN_ATTRIBUTES = Object.keys(DEAD_LETTER_ATTRIBUTES).length;

/** Maximum characters of a reason. */
const MAX_REASON_CHARACTERS = 1024;

/** Why a message could not be processed. */
export interface Reason {
  readonly code: ErrorCode;
  readonly message: string;
  /** URL of the queue that it came from, for the redrive; undefined if unknown. */
  readonly sourceQueue: string | undefined;
}

/** The dead-letter queue of the operators. */
export interface DeadLetters {
  /** Adds a message with the reason. The message keeps its own attributes and its message group. */
  add(record: CopiedRecord, reason: Reason): Promise<void>;
}

/**
 * Opens the dead-letter queue.
 *
 * @param url - URL of the queue.
 */
export function openDeadLetters(client: SQSClient, url: string): DeadLetters {
  return {
    add: async (record, reason) => {
      const { body, messageAttributes } = record;
      const command = new SendMessageCommand({
        QueueUrl: url,
        MessageBody: body,
        MessageGroupId: copiedGroup(record),
        MessageAttributes: { ...originals(messageAttributes), ...attributesOf(reason) },
      });
      await callAws('the dead-letter queue', () => client.send(command));
    },
  };
}

/** Options of {@link moveToDeadLetters}. */
export interface MoveOptions {
  readonly deadLetters: DeadLetters;
  /** URL of the queue that the message came from, for the redrive. */
  readonly sourceQueue: string | undefined;
  /** Reports that the message could not be moved. */
  readonly onFailure: (error: AppError) => void;
}

/**
 * Moves a message to the dead-letter queue.
 *
 * @param reason - Why the message could not be processed.
 * @returns `retry` if the dead-letter queue is unavailable. The next delivery tries again, and after the last one SQS
 * itself moves the message.
 */
export async function moveToDeadLetters(
  record: SQSRecord,
  { code, message }: AppError,
  { deadLetters, sourceQueue, onFailure }: MoveOptions,
): Promise<Verdict> {
  try {
    await deadLetters.add(record, { code, message, sourceQueue });
    return 'done';
  } catch (cause) {
    onFailure(toAppError(cause));
    return 'retry';
  }
}

function attributesOf({ code, message, sourceQueue }: Reason): Record<string, MessageAttributeValue> {
  const { errorCode, errorMessage, sourceQueue: source } = DEAD_LETTER_ATTRIBUTES;
  const sendable = sendableText(message).slice(0, MAX_REASON_CHARACTERS);
  return {
    [errorCode]: text(code),
    [errorMessage]: text(sendable || code),
    ...(sourceQueue === undefined ? {} : { [source]: text(sourceQueue) }),
  };
}

function text(value: string): MessageAttributeValue {
  return { DataType: 'String', StringValue: value };
}

function originals(attributes: SQSRecord['messageAttributes']): Record<string, MessageAttributeValue> {
  const own: readonly string[] = Object.values(DEAD_LETTER_ATTRIBUTES);
  const kept = Object.entries(attributes).filter(([name]) => !own.includes(name));
  return sendableAttributes(Object.fromEntries(kept.slice(0, MAX_ATTRIBUTES - OWN_ATTRIBUTES)));
}

/** A message to copy; one that was not received has no attributes of SQS. */
export type CopiedRecord = Pick<SQSRecord, 'body' | 'messageAttributes'> & Partial<Pick<SQSRecord, 'attributes'>>;

/** Returns the message group of a copy. */
export function copiedGroup({ body, attributes }: CopiedRecord): string | undefined {
  return groupOfCopy({ group: attributes?.MessageGroupId, body });
}

/** Turns the attributes of a received message into those of one to send. */
export function sendableAttributes(attributes: SQSRecord['messageAttributes']): Record<string, MessageAttributeValue> {
  return Object.fromEntries(
    Object.entries(attributes).map(([name, { dataType, stringValue, binaryValue }]) => [
      name,
      {
        DataType: dataType,
        StringValue: stringValue,
        BinaryValue: binaryValue === undefined ? undefined : Buffer.from(binaryValue, 'base64'),
      },
    ]),
  );
}
