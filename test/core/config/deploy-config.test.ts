import { describe, expect, it } from '@jest/globals';
import { parseDeployConfig, STAGE_PATTERN } from '../../../core/config/deploy-config.ts';
import { DEFAULT_BUDGETS } from '../../../core/identity/budgets.ts';

const MANY = Array.from({ length: 21 }, (_, index) => `inputs-${index}`);

describe('parseDeployConfig', () => {
  it.each([undefined, null, {}])('has a default for every key: %j', (value) => {
    const config = parseDeployConfig(value, 'config/dev.yaml');
    expect(Object.keys(config.usagePlans)).toEqual(['free', 'pro', 'internal']);
    expect(config.usagePlans['free']).toEqual({
      rateLimit: 5,
      burstLimit: 10,
      quota: { limit: 10_000, period: 'DAY' },
      keys: ['default'],
      replyQueues: [],
      eventBus: false,
      inputBuckets: [],
      budgets: DEFAULT_BUDGETS,
    });
    expect(config).toMatchObject({ retainData: true, tracing: false, logRetentionDays: 30 });
    expect(config.jobs).toEqual({
      enabled: true,
      retentionDays: 7,
      replyQueues: [],
      inputBuckets: [],
      producers: { eventBus: true },
      alarms: false,
      maxFileBytes: 5 * 1024 ** 3,
      fileRetentionDays: 30,
      deadLetterRetentionDays: 14,
    });
  });

  it('gives a tenant one key unless it names two', () => {
    const { tenants } = parseDeployConfig(
      { tenants: { acme: { plan: 'pro' }, globex: { plan: 'free', keys: ['k2025', 'k2026'], id: 'abc123' } } },
      'config/dev.yaml',
    );
    expect(tenants).toEqual({
      acme: { plan: 'pro', keys: ['default'] },
      globex: { plan: 'free', keys: ['k2025', 'k2026'], id: 'abc123' },
    });
  });

  it('fails with CONFIG_INVALID when anything is wrong, and names every problem', () => {
    const wrong = {
      usagePlans: { Free: { rateLimit: 0, quota: { limit: 1, period: 'YEAR' }, keys: 'a' } },
      logRetentionDays: 2,
      tracing: 1,
      alarm: true,
    };
    expect(() => parseDeployConfig(wrong, 'config/dev.yaml')).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        message: `config/dev.yaml has 8 problems:
  usagePlans.Free: must be lowercase letters, digits and hyphens, a letter first, up to 31 characters, got "Free"
  usagePlans.Free.rateLimit: must be a number from 0.1 to 10000, got 0
  usagePlans.Free.burstLimit: is missing, it must be a whole number from 1 to 5000
  usagePlans.Free.quota.period: must be one of DAY, WEEK, MONTH, got "YEAR"
  usagePlans.Free.keys: must be a list of key names, got "a"
  logRetentionDays: must be one of 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653, got 2
  tracing: must be true or false, got 1
  alarm: is not a known key, known are usagePlans, tenants, auth, cache, throttle, concurrency, logRetentionDays, systemLogLevel, minimumCompressionBytes, alarms, tracing, metrics, metricsNamespace, retainData, deletionProtection, tags, maxIdleMonthlyUsd, jobs`,
      }),
    );
  });

  it.each<[string, unknown, string]>([
    ['no plan', { usagePlans: {} }, 'usagePlans: must contain at least one plan'],
    [
      'a key twice',
      { usagePlans: { free: { rateLimit: 1, burstLimit: 1, keys: ['a', 'b', 'a'] } } },
      'usagePlans.free.keys: must contain each name once, got a, b, a',
    ],
    [
      'a key that the CDK cannot create',
      { usagePlans: { free: { rateLimit: 1, burstLimit: 1, keys: ['constructor'] } } },
      'usagePlans.free.keys.0: must be another name, because constructor has a meaning in the AWS CDK',
    ],
    [
      'half a throttle',
      { throttle: { rateLimit: 1 } },
      'throttle.burstLimit: is missing, it must be a whole number from 1 to 5000',
    ],
    [
      'a cost that is not a number',
      { maxIdleMonthlyUsd: Number.NaN },
      'maxIdleMonthlyUsd: must be a number from 0 to 1000000, got NaN',
    ],
    ['an unknown setting of jobs', { jobs: { queues: 1 } }, 'jobs.queues: is not a known key, known are enabled, '],
    [
      'no time to keep jobs',
      { jobs: { retentionDays: 0 } },
      'jobs.retentionDays: must be a whole number from 1 to 365',
    ],
    [
      'dead letters that outlast their queue',
      { jobs: { deadLetterRetentionDays: 15 } },
      'jobs.deadLetterRetentionDays: must be a whole number from 1 to 14, got 15',
    ],
    [
      'a reply queue twice',
      { jobs: { replyQueues: ['a', 'a'] } },
      'jobs.replyQueues: must contain each name once, got a, a',
    ],
    [
      'reply queues that differ by hyphens',
      { jobs: { replyQueues: ['a1', 'a-1'] } },
      'must contain each name once, got a1, a-1',
    ],
    ['a reply queue without a name', { jobs: { replyQueues: [''] } }, 'jobs.replyQueues.0: must be lowercase letters'],
    [
      'reply queues as text',
      { jobs: { replyQueues: 'a' } },
      'jobs.replyQueues: must be a list of queue names, got "a"',
    ],
    ['too many buckets', { jobs: { inputBuckets: MANY } }, 'jobs.inputBuckets: must contain at most 20'],
    [
      'an address instead of a bucket',
      { jobs: { inputBuckets: ['s3://inputs'] } },
      'jobs.inputBuckets.0: must be the name of an S3 bucket, got "s3://inputs"',
    ],
    [
      'a file of no bytes',
      { jobs: { maxFileBytes: 0 } },
      'jobs.maxFileBytes: must be a whole number from 1 to 5368709120',
    ],
    ['a tenant without a plan', { tenants: { acme: {} } }, 'tenants.acme.plan: is missing'],
    [
      'a tenant of an unknown plan',
      { tenants: { acme: { plan: 'gold' } } },
      'tenants: must each name one of the usage plans free, pro, internal, which acme does not',
    ],
    [
      'a third key of a tenant',
      { tenants: { acme: { plan: 'pro', keys: ['a', 'b', 'c'] } } },
      'tenants.acme.keys: must contain 2 key names at most',
    ],
    ['a tenant without keys', { tenants: { acme: { plan: 'pro', keys: [] } } }, 'must contain at least one key name'],
    [
      'a key of a tenant twice',
      { tenants: { acme: { plan: 'pro', keys: ['a', 'a'] } } },
      'tenants.acme.keys: must contain each name once, got a, a',
    ],
    ['the owner of the jobs of producers', { tenants: { producers: { plan: 'pro' } } }, 'must not be producers'],
    ['an id with a slash', { tenants: { acme: { plan: 'pro', id: 'a/b' } } }, 'tenants.acme.id: must be letters'],
    [
      'an unknown key of a tenant',
      { tenants: { acme: { plan: 'pro', key: 1 } } },
      'tenants.acme.key: is not a known key',
    ],
    [
      'more tenants than a stage has variables',
      { tenants: Object.fromEntries(Array.from({ length: 101 }, (_, at) => [`t${at}`, { plan: 'pro' }])) },
      'tenants: must contain 100 at most: each is a stage variable',
    ],
    [
      'a prefix instead of a bucket',
      { usagePlans: { free: { rateLimit: 1, burstLimit: 1, inputBuckets: ['lake/a'] } } },
      'usagePlans.free.inputBuckets.0: must be a map with the keys bucket, prefix',
    ],
    [
      'a prefix that a stage variable cannot hold',
      { jobs: { producers: { inputBuckets: [{ bucket: 'lake', prefix: 'a&b' }] } } },
      'jobs.producers.inputBuckets.0.prefix: must be a prefix of keys',
    ],
    [
      'a budget that is not a number',
      { usagePlans: { free: { rateLimit: 1, burstLimit: 1, budgets: { openBatches: 'none' } } } },
      'usagePlans.free.budgets.openBatches: must be a whole number from 1 to 1000',
    ],
    ['text', 'stage: dev', '(root): must be a map with the keys usagePlans, '],
  ])('fails with CONFIG_INVALID when there is %s', (_, value, problem) => {
    expect(() => parseDeployConfig(value, 'config/dev.yaml')).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringContaining(problem) }),
    );
  });
});

describe('STAGE_PATTERN', () => {
  it.each([
    ['dev', true],
    ['eu-1', true],
    ['1dev', false],
    ['Dev', false],
    ['', false],
  ])('matches %j: %s', (stage, expected) => {
    expect(STAGE_PATTERN.test(stage)).toBe(expected);
  });
});
