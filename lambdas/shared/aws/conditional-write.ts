import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import type { Item } from './attribute-value.ts';
import { callAws } from './client-settings.ts';

/** The outcome of a conditional write. */
export interface ConditionalWrite {
  /** Whether the condition was met and the item written. */
  readonly isDone: boolean;
  /** The item that `write` returned, or the item that did not meet the condition if the command asked for it. */
  readonly item: Item | undefined;
}

/**
 * Makes a conditional write to DynamoDB. A condition that is not met is an outcome and no failure.
 *
 * @param what - Name of the table in messages: `the jobs table`.
 * @throws AppError `UNAVAILABLE` if DynamoDB does not respond.
 */
export function writeIf(what: string, write: () => Promise<Item | undefined>): Promise<ConditionalWrite> {
  return callAws(what, async () => {
    try {
      return { isDone: true, item: await write() };
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return { isDone: false, item: error.Item };
      throw error;
    }
  });
}
