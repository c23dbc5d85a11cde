import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { SERVE_MODEL_SETTINGS } from '../../../core/functions/functions.ts';
import { METRICS_LEVELS } from '../../../core/functions/metrics-level.ts';
import {
  type FunctionSettings,
  readSettings,
  renderPackagedSettings,
  renderSettings,
  variableOf,
} from '../../../core/functions/settings.ts';
import { KEY_HEADERS } from '../../../core/identity/credentials.ts';

const text = fc.string({ minLength: 1 });
const map = <T>(value: fc.Arbitrary<T>) =>
  fc.dictionary(
    text.filter((name) => name !== '__proto__'),
    value,
    { noNullPrototype: true },
  );

/** Every setting with values of its kind; a new setting is a compile error here. */
const SETTINGS: { readonly [name in keyof FunctionSettings]: fc.Arbitrary<FunctionSettings[name]> } = {
  stage: text,
  metricsNamespace: text,
  metrics: fc.constantFrom(...METRICS_LEVELS),
  resultsTable: text,
  cacheScope: fc.constantFrom('tenant' as const, 'plan' as const, 'deployment' as const),
  endpoint: text,
  siblings: fc.array(text),
  functionsPath: text,
  jobsTable: text,
  webhooksTable: text,
  payloadBucket: text,
  ownJobsQueue: text,
  ownQueues: fc.record({ jobs: text, chunks: text }, { noNullPrototype: true }),
  queuesPath: text,
  modelIds: fc.array(text),
  modelAliases: map(text),
  taskModels: fc.dictionary(text, fc.array(text)),
  batchesQueue: text,
  webhooksQueue: text,
  lostJobsQueue: text,
  deadLettersQueue: text,
  jobsQueue: text,
  eventBus: text,
  producerGrants: fc.record({
    replyQueues: fc.array(text),
    eventBus: fc.boolean(),
    inputBuckets: fc.array(fc.record({ bucket: text, prefix: text })),
  }),
  retentionDays: fc.nat(),
  fileRetentionDays: fc.nat(),
  webhookConcurrency: fc.nat(),
  maxReceiveCount: fc.nat(),
  maxFileBytes: fc.nat(),
  acceptedHeaders: fc.subarray([...KEY_HEADERS]),
};

describe('settings of functions', () => {
  test('every setting is read back as it was rendered', () => {
    const names = Object.keys(SETTINGS) as (keyof FunctionSettings)[];
    fc.assert(
      fc.property(fc.record(SETTINGS), (settings) => {
        const variables = renderSettings(settings);
        expect(Object.values(variables).every((value) => typeof value === 'string')).toBe(true);
        const packaged = JSON.parse(renderPackagedSettings(settings) ?? '{}') as Record<string, unknown>;
        expect(readSettings(variables, { required: names }, packaged)).toEqual(settings);
      }),
    );
  });

  test('a setting is in the variable of its name', () => {
    expect(variableOf('metricsNamespace')).toBe('TENSORGATE_METRICS_NAMESPACE');
    expect(renderSettings({ stage: 'dev', retentionDays: 7 })).toEqual({
      TENSORGATE_STAGE: 'dev',
      TENSORGATE_RETENTION_DAYS: '7',
    });
  });

  test('an undefined setting is not rendered', () => {
    expect(renderSettings({ endpoint: undefined })).toEqual({});
  });

  test('optional settings are absent when the deployment has none', () => {
    const variables = renderSettings({ stage: 'dev', metricsNamespace: 'n', metrics: 'basic' });
    expect(readSettings(variables, SERVE_MODEL_SETTINGS)).toEqual({
      stage: 'dev',
      metricsNamespace: 'n',
      metrics: 'basic',
    });
    const withTable = { ...variables, TENSORGATE_RESULTS_TABLE: 'results' };
    expect(readSettings(withTable, SERVE_MODEL_SETTINGS)).toHaveProperty('resultsTable', 'results');
  });

  test.each([
    ['retentionDays', undefined, 'environment variable TENSORGATE_RETENTION_DAYS is not set'],
    ['retentionDays', 'seven', 'environment variable TENSORGATE_RETENTION_DAYS must be a number in JSON'],
    ['ownQueues', '{', 'environment variable TENSORGATE_OWN_QUEUES must be a map in JSON'],
    ['ownQueues', '[]', 'environment variable TENSORGATE_OWN_QUEUES must be a map in JSON'],
    ['ownQueues', 'null', 'environment variable TENSORGATE_OWN_QUEUES must be a map in JSON'],
    ['acceptedHeaders', '{}', 'environment variable TENSORGATE_ACCEPTED_HEADERS must be a list in JSON'],
  ] as const)('reading %s from %j fails with CONFIG_INVALID', (name, value, message) => {
    expect(() => readSettings({ [variableOf(name)]: value }, { required: [name] })).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message }),
    );
  });

  test('settings that grow with the number of models are in the package, not in the environment', () => {
    const settings = { stage: 'dev', modelIds: ['a', 'b'], taskModels: { embedding: ['a'] } };
    expect(renderSettings(settings)).toEqual({ TENSORGATE_STAGE: 'dev' });
    expect(renderPackagedSettings(settings)).toBe('{"modelIds":["a","b"],"taskModels":{"embedding":["a"]}}');
    expect(renderPackagedSettings({ stage: 'dev' })).toBeUndefined();
  });

  test.each([
    [{}, { required: ['modelIds'] }],
    [{ modelIds: {} }, { required: ['modelIds'] }],
    [{ modelIds: null }, { required: [], optional: ['modelIds'] }],
  ] as const)('reading settings from the package %j fails with CONFIG_INVALID', (packaged, of) => {
    const message = 'settings.json of the package must hold a list modelIds';
    expect(() => readSettings({}, of, packaged)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID', message }));
  });
});
