import { beforeEach, describe, expect, it } from '@jest/globals';
import { FairOrder } from '../../../../local/services/sqs/fair-order.ts';
import type { StoredMessage } from '../../../../local/services/sqs/fauxqs.ts';

/** A queue with a clock that tests move. */
class Queue {
  nowMs = 1_000_000;
  messages: StoredMessage[] = [];
  readonly inFlight = new Map<string, StoredMessage>();
  readonly #order = new FairOrder();
  #sent = 0;

  send(group: string | undefined, count = 1): void {
    for (let at = 0; at < count; at += 1) {
      this.#sent += 1;
      this.messages.push({ messageId: `${group}-${this.#sent}`, body: '', messageGroupId: group, sentTimestamp: 0 });
      if (group !== undefined) this.#order.sent(group, this.nowMs);
    }
  }

  /** Groups of the next messages, which are then in flight. */
  receive(count: number): (string | undefined)[] {
    const { nowMs, inFlight } = this;
    this.messages = this.#order.arrange(this.messages, count, { nowMs, isInFlight: (handle) => inFlight.has(handle) });
    return this.messages.splice(0, count).map((message) => {
      inFlight.set(message.messageId, message);
      this.#order.received(message.messageId, message.messageGroupId, nowMs);
      return message.messageGroupId;
    });
  }

  deleteAll(): void {
    for (const handle of this.inFlight.keys()) this.#order.ended(handle, this.nowMs);
    this.inFlight.clear();
  }
}

let queue: Queue;

beforeEach(() => {
  queue = new Queue();
});

describe('the order of a fair queue', () => {
  it('is the order of arrival while no tenant is noisy', () => {
    queue.send('a', 2);
    queue.send('b');
    queue.send('a');
    expect(queue.receive(4)).toEqual(['a', 'a', 'b', 'a']);
  });

  it('puts quiet tenants first while a tenant has 30 messages in flight and more than a tenth of all', () => {
    queue.send('noisy', 1000);
    expect(queue.receive(30)).toHaveLength(30);
    queue.send('quiet', 2);
    expect(queue.receive(3)).toEqual(['quiet', 'quiet', 'noisy']);
  });

  it('leaves the order alone for fewer than 30 messages in flight that take no time', () => {
    queue.send('a', 1000);
    queue.receive(29);
    queue.send('b');
    expect(queue.receive(1)).toEqual(['a']);
  });

  it('puts quiet tenants first while few messages of a tenant take most of the processing time', () => {
    queue.send('slow', 100);
    queue.receive(2);
    queue.nowMs += 5000;
    queue.send('quiet');
    expect(queue.receive(2)).toEqual(['quiet', 'slow']);
  });

  it('keeps a tenant noisy until its backlog is drained, and no longer', () => {
    queue.send('noisy', 41);
    queue.receive(30);
    queue.receive(1);
    queue.deleteAll();
    queue.send('quiet');
    expect(queue.receive(1)).toEqual(['quiet']);
    queue.deleteAll();
    expect(queue.receive(10)).toHaveLength(10);
    queue.deleteAll();
    expect(queue.receive(1)).toEqual([]);
    queue.send('noisy');
    queue.send('quiet');
    expect(queue.receive(2)).toEqual(['noisy', 'quiet']);
  });

  it('treats a tenant as quiet once it has sent nothing for five minutes', () => {
    queue.send('noisy', 41);
    queue.receive(30);
    queue.receive(1);
    queue.deleteAll();
    queue.nowMs += 300_000;
    queue.send('quiet');
    expect(queue.receive(1)).toEqual(['noisy']);
  });

  it('prefers, of several noisy tenants, the one with the fewest messages in flight', () => {
    queue.send('a', 100);
    queue.send('b', 100);
    queue.receive(60);
    queue.messages = queue.messages
      .filter(({ messageGroupId: group }) => group === 'b')
      .concat(queue.messages.slice(0, 40));
    expect(new Set(queue.receive(20))).toEqual(new Set(['b']));
  });

  it('shares the consumers evenly between noisy tenants', () => {
    queue.send('a', 500);
    queue.send('b', 500);
    const counts = Map.groupBy(
      Array.from({ length: 20 }, () => {
        queue.nowMs += 100;
        return queue.receive(10);
      }).flat(),
      (group) => group,
    );
    expect(Math.abs((counts.get('a')?.length ?? 0) - (counts.get('b')?.length ?? 0))).toBeLessThanOrEqual(20);
  });

  it('treats each message without a group as a quiet tenant of its own', () => {
    queue.send(undefined, 100);
    queue.receive(60);
    queue.send('noisy', 100);
    queue.nowMs += 1000;
    queue.receive(100);
    queue.nowMs += 1000;
    queue.send(undefined, 2);
    expect(queue.receive(3)).toEqual([undefined, undefined, 'noisy']);
  });

  it('receives each message once, in the order of arrival within a group, among a hundred groups', () => {
    for (let at = 0; at < 1000; at += 1) queue.send(`g${(at * 7) % 100}`);
    queue.send('noisy', 500);
    const ids: string[] = [];
    for (let step = 0; queue.messages.length > 0; step += 1) {
      queue.nowMs += 50;
      const before = new Set(queue.inFlight.keys());
      queue.receive(10);
      ids.push(...[...queue.inFlight.keys()].filter((id) => !before.has(id)));
      if (step % 5 === 4) queue.deleteAll();
    }
    expect(new Set(ids).size).toBe(1500);
    for (const own of Map.groupBy(ids, (id) => id.slice(0, id.lastIndexOf('-'))).values()) {
      const numbers = own.map((id) => Number(id.split('-').at(-1)));
      expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    }
  });
});
