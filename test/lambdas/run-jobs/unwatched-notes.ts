import { PutItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { type DeadlineNotes, openDeadlineNotes } from '../../../lambdas/run-jobs/deadline-notes.ts';
import type { ScheduledWrite } from '../../../lambdas/run-jobs/watchdog.ts';
import type { TableWrite } from '../../../lambdas/shared/aws/table-write.ts';
import type { DynamoDbStoreOptions } from '../../../lambdas/shared/batches/dynamodb-chunk-store.ts';

/** Opens notes that this thread writes, and no watchdog: the models of tests do not keep it busy. */
export function openUnwatchedNotes(store: DynamoDbStoreOptions): DeadlineNotes {
  const send = (write: TableWrite) =>
    write.kind === 'put'
      ? store.client.send(new PutItemCommand(write.input))
      : store.client.send(new UpdateItemCommand(write.input));
  const writeAfter = (afterMs: number, write: TableWrite): ScheduledWrite => {
    const timer = setTimeout(() => void send(write).catch(() => undefined), afterMs).unref();
    return { cancel: async () => clearTimeout(timer) };
  };
  return openDeadlineNotes({ writeAfter }, store);
}
