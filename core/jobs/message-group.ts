/**
 * Ids of message groups that SQS accepts: 1 to 128 letters, digits and punctuation characters.
 *
 * @see https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
 */
const GROUP_ID = /^[!-~]{1,128}$/;
const MAX_LENGTH = 128;

/** Begins the groups of tenants whose ids SQS does not accept. */
const ESCAPED = '~';

/**
 * Returns the message group of a tenant. On a standard queue it makes SQS fair: while one tenant keeps the consumers busy,
 * messages of the others are received first. It does not order messages.
 *
 * @see https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues-detailed.html
 */
export function groupOfTenant(tenant: string): string {
  if (GROUP_ID.test(tenant)) return tenant;
  return `${ESCAPED}${encodeURIComponent(tenant.toWellFormed())}`.slice(0, MAX_LENGTH);
}

/** A message to copy. */
export interface GroupedMessage {
  /** Group that SQS received it with; undefined for messages from before there were groups, and for new messages. */
  readonly group: string | undefined;
  /** Body, which names the tenant as `owner`. */
  readonly body: string;
}

/**
 * Returns the message group of a copy: the group of the message, or that of the tenant in its body.
 *
 * @returns Undefined if neither is known. SQS then treats the message as that of a tenant of its own.
 */
export function groupOfCopy({ group, body }: GroupedMessage): string | undefined {
  return group ?? groupInBody(body);
}

function groupInBody(body: string): string | undefined {
  try {
    const { owner } = JSON.parse(body) as { readonly owner?: unknown };
    return typeof owner === 'string' && owner !== '' ? groupOfTenant(owner) : undefined;
  } catch {
    return undefined;
  }
}
