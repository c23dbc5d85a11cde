import { describe, expect, test } from '@jest/globals';
import { JSON_MEDIA_TYPE } from '../../core/api/body.ts';
import { at } from '../../core/at.ts';
import { AppError } from '../../core/errors.ts';
import type { Codec, Task, TaskContext, Tensors } from '../../core/tasks/contract/task.ts';
import { PASS, type Served, serveTask } from '../core/tasks/serve-task.ts';

/** A task with a model of it, to run {@link testTask} on. */
export interface TaskSubject {
  readonly task: Task;
  readonly context: TaskContext;
  /** Computes the outputs of the model. */
  readonly model: (inputs: Tensors) => Record<string, Tensors[string]>;
  /**
   * Bodies by operation. All of them hold the same items: at least three, of which the first two differ, and the last is
   * the first again.
   */
  readonly bodies: Readonly<Record<string, unknown>>;
}

async function codecOf({ task }: TaskSubject, operation: string): Promise<Codec> {
  const source = task.codecs[operation];
  if (source === undefined) throw new Error(`the task has no operation ${operation}`);
  return source();
}

async function featuresOf(subject: TaskSubject, operation = at(Object.keys(subject.bodies), 0)) {
  const { task, context, bodies } = subject;
  const codec = await codecOf(subject, operation);
  const request = await codec.decode({ mediaType: JSON_MEDIA_TYPE, value: bodies[operation] }, context);
  return { codec, request, features: await task.prepare(request, context) };
}

function compute({ task, context, model }: TaskSubject, features: readonly unknown[]): readonly unknown[] {
  return task.read(model(task.layOut(features, context)), features, context);
}

/** Tests the contract that every task fulfils. */
export function testTask(name: string, subject: TaskSubject): void {
  const { task, context, bodies } = subject;
  const hash = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

  describe(`the task ${name}`, () => {
    test(`${name}: there is a codec for predict, for infer and for every operation that is tried`, () => {
      expect(Object.keys(task.codecs)).toEqual(expect.arrayContaining(['predict', 'infer', ...Object.keys(bodies)]));
      expect(Object.keys(bodies).sort()).toEqual(Object.keys(task.codecs).sort());
    });

    test.each(Object.keys(bodies))(
      `${name}: a request of %s is decoded, prepared, run and encoded`,
      async (operation) => {
        const { codec, request, features } = await featuresOf(subject, operation);
        const results = features.map((item) => at(compute(subject, [item]), 0));
        const { mediaType, body } = await codec.encode(results, { request, features }, context);
        expect(mediaType).toBe(JSON_MEDIA_TYPE);
        expect(() => JSON.parse(String(body))).not.toThrow();
      },
    );

    test(`${name}: every operation prepares the same features`, async () => {
      const prepared = await Promise.all(Object.keys(bodies).map((operation) => featuresOf(subject, operation)));
      for (const { features } of prepared) expect(features).toEqual(prepared[0]?.features);
    });

    test.each(Object.keys(bodies))(
      `${name}: %s refuses a body that is not a request with a client error`,
      async (operation) => {
        const codec = await codecOf(subject, operation);
        for (const value of [undefined, null, 1, 'text', [], {}]) {
          let error: unknown;
          try {
            codec.decode({ mediaType: JSON_MEDIA_TYPE, value }, context);
          } catch (thrown) {
            error = thrown;
          }
          expect(error).toBeInstanceOf(AppError);
          expect((error as AppError).status).toBe(400);
        }
      },
    );

    test(`${name}: items with the same key share a run, and each gets the result that it gets alone`, async () => {
      const { features } = await featuresOf(subject);
      const groups = Map.groupBy(features, (item) => task.runKey(item, context) ?? {});
      for (const group of groups.values()) {
        const together = compute(subject, group);
        expect(together).toHaveLength(group.length);
        for (const [index, item] of group.entries()) {
          const alone = at(compute(subject, [item]), 0);
          expect(task.compare(alone, together[index]).value).toBeCloseTo(1, 6);
        }
      }
    });

    test(`${name}: equal items have equal fingerprints, and other items, other weights and other endpoints do not`, async () => {
      const { features } = await featuresOf(subject);
      const of = (item: unknown, more: TaskContext = context) => task.fingerprint(hash, item, more);
      expect(of(features.at(-1))).toBe(of(features[0]));
      const { version, model } = context;
      const weights = { ...version, packed: { ...version.packed, sha256: 'other' } };
      const endpoint = { target: 'sagemaker', container: 'triton', tensorRt: false } as const;
      const keys = [
        of(features[0]),
        of(features[1]),
        of(features[0], { ...context, version: weights }),
        of(features[0], { ...context, model: { ...model, id: 'other' } }),
        of(features[0], { ...context, model: { ...model, compute: endpoint } }),
        of(features[0], { ...context, model: { ...model, compute: { ...endpoint, tensorRt: true } } }),
      ];
      expect(new Set(keys).size).toBe(keys.length);
    });

    test(`${name}: a result comes back from its bytes as it was, wherever they lie`, async () => {
      const { features } = await featuresOf(subject);
      const [result] = compute(subject, features.slice(0, 1));
      const bytes = task.resultCodec.encode(result);
      const inside = new Uint8Array(bytes.length + 3);
      inside.set(bytes, 3);
      expect(task.resultCodec.decode(inside.subarray(3))).toEqual(result);
    });

    test(`${name}: a result agrees fully with itself and less with another`, async () => {
      const { features } = await featuresOf(subject);
      const [a, b] = features.slice(0, 2).map((item) => at(compute(subject, [item]), 0));
      expect(task.compare(a, a).value).toBeCloseTo(1, 6);
      expect(task.compare(a, b).value).toBeLessThan(1);
      expect(task.compare(a, a).measure).not.toBe('');
    });

    test(`${name}: blank outputs are read as outputs are`, async () => {
      const { features } = await featuresOf(subject);
      const group = at([...Map.groupBy(features, (item) => task.runKey(item, context) ?? {}).values()], 0);
      const outputs = task.blank(task.layOut(group, context), context);
      expect(task.read(outputs, group, context)).toHaveLength(group.length);
    });

    test(`${name}: the warm-up item can be laid out, and computed if it is typical`, () => {
      const item = task.warmUp.features(context);
      expect(task.layOut([item], context)).not.toEqual({});
      if (task.warmUp.isTypical) expect(compute(subject, [item])).toHaveLength(1);
    });

    test(`${name}: costs and budgets are positive`, async () => {
      const { features } = await featuresOf(subject);
      for (const item of features) expect(task.cost(item)).toBeGreaterThan(0);
      for (const bound of Object.values(task.budget(context.model))) expect(bound).toBeGreaterThan(0);
    });

    test(`${name}: a model that gives nothing, or a row too few, is a bad model and never the fault of the caller`, async () => {
      const { features } = await featuresOf(subject);
      const code = (work: () => unknown): string => {
        try {
          work();
        } catch (error) {
          return (error as AppError).code;
        }
        return 'none';
      };
      expect(code(() => task.read({}, features.slice(0, 1), context))).toBe('BAD_GATEWAY');
    });

    test.each(Object.keys(bodies))(`${name}: runItems serves %s from the cache the second time`, async (operation) => {
      const served: Served = serveTask(subject);
      const first = await served.ask(operation, bodies[operation]);
      const second = await served.ask(operation, bodies[operation]);
      expect(second.body).toEqual(first.body);
      expect([first.cache, second.cache]).toEqual(['MISS', 'HIT']);
      expect(served.runs()).toBe(first.runs);
    });

    test(`${name}: a deadline that has passed stops the model`, async () => {
      const operation = at(Object.keys(bodies), 0);
      const late = serveTask(subject).ask(operation, bodies[operation], { ...PASS, deadlineMs: -1 });
      await expect(late).rejects.toMatchObject({ code: 'TIMEOUT' });
    });
  });
}
