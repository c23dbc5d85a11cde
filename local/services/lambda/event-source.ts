import { setTimeout as pause } from 'node:timers/promises';
import { AppError } from '../../../core/errors.ts';
import type { LocalFaults } from '../../aws/faults.ts';
import type { Judge } from '../../iam/policy.ts';
import type { EventSourcePlan } from '../../template/plan-event-sources.ts';
import type { QueueEngine, ReceivedMessage } from '../sqs/queue-engine.ts';
import type { LambdaHost } from './lambda-host.ts';
import { failedItems, splitByBytes, sqsEvent } from './sqs-event.ts';

/** Permissions that a mapping of a queue needs (AWS Lambda developer guide, "Using Lambda with Amazon SQS"). */
const NEEDED_ACTIONS = ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes'];

/** Concurrent invocations of a mapping without a limit: AWS Lambda starts with five. */
const USUAL_CONCURRENCY = 5;

/** Pause before a throttled invocation is retried. */
const THROTTLED_PAUSE_MS = 100;

/** Dependencies of an {@link EventSource}. */
export interface EventSourceOptions {
  readonly plan: EventSourcePlan;
  readonly queues: QueueEngine;
  readonly host: Pick<LambdaHost, 'invoke'>;
  /** Maximum number of concurrent invocations on this machine, whatever the mapping allows. */
  readonly maxConcurrency: number;
  readonly faults?: LocalFaults | undefined;
}

/**
 * Feeds a function with the messages of a queue, as AWS Lambda's event source mappings do: batches, windows, a limit of
 * concurrent invocations, deletion of the messages that succeeded. The others become visible again by themselves.
 */
export class EventSource implements AsyncDisposable {
  readonly #options: EventSourceOptions;
  readonly #stopping = new AbortController();
  readonly #running = new Set<Promise<void>>();
  readonly #limit: number;
  #polling: Promise<void> | undefined;
  #resume: (() => void) | undefined;

  constructor(options: EventSourceOptions) {
    this.#options = options;
    this.#limit = Math.max(1, Math.min(options.plan.maxConcurrency ?? USUAL_CONCURRENCY, options.maxConcurrency));
  }

  /** Whether the function is working on messages. */
  get isBusy(): boolean {
    return this.#running.size > 0;
  }

  /** Starts to poll. */
  start(): void {
    this.#polling ??= this.#poll();
  }

  /** Stops polling. It does not wait for running invocations, which the host ends. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#resume?.();
    await this.#polling;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #poll(): Promise<void> {
    const { plan, queues } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      if (this.#running.size >= this.#limit) {
        await new Promise<void>((resolve) => {
          this.#resume = resolve;
        });
        continue;
      }
      const messages = await this.#collect();
      if (messages.length === 0) await queues.wait(plan.queueArn, signal);
      for (const group of splitByBytes(messages)) this.#start(group);
    }
  }

  /** Takes a batch: the messages that wait now, and those that arrive until the window ends. */
  async #collect(): Promise<readonly ReceivedMessage[]> {
    const { plan, queues } = this.#options;
    const { signal } = this.#stopping;
    const messages = [...(await queues.take(plan.queueArn, plan.batchSize))];
    const endMs = performance.now() + plan.windowMs;
    while (messages.length > 0 && messages.length < plan.batchSize) {
      const more = await queues.take(plan.queueArn, plan.batchSize - messages.length);
      messages.push(...more);
      if (more.length > 0) continue;
      const leftMs = Math.ceil(endMs - performance.now());
      if (leftMs <= 0 || signal.aborted) break;
      await queues.wait(plan.queueArn, AbortSignal.any([signal, AbortSignal.timeout(leftMs)]));
    }
    return messages;
  }

  #start(messages: readonly ReceivedMessage[]): void {
    const run = this.#deliver(messages).finally(() => {
      this.#running.delete(run);
      this.#resume?.();
    });
    this.#running.add(run);
  }

  async #deliver(messages: readonly ReceivedMessage[]): Promise<void> {
    const { plan, queues, host, faults } = this.#options;
    const fault = faults?.onDelivery?.({
      queueArn: plan.queueArn,
      functionArn: plan.functionArn,
      count: messages.length,
    });
    if (fault?.heldUntil !== undefined) await Promise.race([fault.heldUntil, aborted(this.#stopping.signal)]);
    if (fault?.delayMs !== undefined) await pause(fault.delayMs, undefined, { ref: false });
    // Released messages are delivered to another invocation while this one works on them.
    if (fault?.isRepeated === true) {
      for (const { ReceiptHandle: handle } of messages) queues.release(plan.queueArn, handle);
    }
    const payload = sqsEvent(messages, plan.queueArn);
    let { outcome } = await host.invoke({ functionName: plan.functionArn, payload, nested: true });
    while (outcome.kind === 'throttled' && !this.#stopping.signal.aborted) {
      await pause(THROTTLED_PAUSE_MS, undefined, { ref: false });
      ({ outcome } = await host.invoke({ functionName: plan.functionArn, payload, nested: true }));
    }
    if (outcome.kind !== 'responded') return;
    const ids = messages.map(({ MessageId: id }) => id);
    const failed = plan.reportsItemFailures ? failedItems(outcome.payload, ids) : new Set<string>();
    for (const { MessageId: id, ReceiptHandle: handle } of messages) {
      if (!failed.has(id)) await queues.remove(plan.queueArn, handle);
    }
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

/**
 * Checks what AWS checks when a mapping is created.
 *
 * @throws AppError `TEMPLATE_INVALID` when the role of the function may not use the queue.
 */
export function checkEventSource({ logicalId, queueArn }: EventSourcePlan, judge: Judge): void {
  for (const action of NEEDED_ACTIONS) {
    if (judge({ action, resource: queueArn }) === 'allowed') continue;
    throw new AppError(
      'TEMPLATE_INVALID',
      `${logicalId} cannot poll ${queueArn}: the role of its function does not allow ${action}`,
    );
  }
}
