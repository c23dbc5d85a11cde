import * as v from 'valibot';
import { MAX_BATCH_REQUESTS } from '../files/limits.ts';
import { METRICS_LEVELS } from '../functions/metrics-level.ts';
import { SYSTEM_LOG_LEVELS } from '../functions/system-log-level.ts';
import { type BudgetName, DEFAULT_BUDGETS } from '../identity/budgets.ts';
import { KEY_HEADERS, type KeyHeader } from '../identity/credentials.ts';
import { MAX_STAGE_VARIABLES } from '../identity/key-tenants.ts';
import { PRODUCERS } from '../jobs/job.ts';
import { key, numberIn, objectOf, oneOf, parse, text, wholeNumber } from '../parse.ts';
import { CACHE_SCOPES, DEFAULT_CACHE_SCOPE } from '../results/cache-scope.ts';
import { MAX_SUBSCRIPTIONS } from '../webhooks/subscription.ts';

/** Names of plans, tenants and keys. The AWS CDK keeps constructs as members of an object, which has a `constructor`. */
const planName = v.pipe(
  text(/^[a-z][a-z0-9-]{0,30}$/, 'lowercase letters, digits and hyphens, a letter first, up to 31 characters'),
  v.check((name) => name !== 'constructor', 'must be another name, because constructor has a meaning in the AWS CDK'),
);

/** Refuses lists that hold a name twice. */
const eachOnce = v.check<string[], (issue: v.CheckIssue<string[]>) => string>(
  (names) => new Set(names).size === names.length,
  ({ input }) => `must contain each name once, got ${input.join(', ')}`,
);

const RATES = {
  rateLimit: key(numberIn(0.1, 10_000), 'Average number of requests per second.', 5),
  burstLimit: key(wholeNumber(1, 5000), 'Maximum number of requests in a burst.', 10),
};

/** Names of reply queues, as jobs name them. */
const queueName = text(
  /^[a-z][a-z0-9-]{0,30}$/,
  'lowercase letters, digits and hyphens, a letter first, up to 31 characters',
);

const bucketName = text(/^(?!xn--)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'the name of an S3 bucket');

/** Names of a kind, each once; `keyOf` says which ones count as the same. */
function namesOf(name: typeof queueName, what: string, keyOf = (one: string) => one) {
  return v.pipe(
    v.array(name, `must be a list of ${what}`),
    v.check(
      (names) => new Set(names.map(keyOf)).size === names.length,
      ({ input }) => `must contain each name once, got ${input.join(', ')}`,
    ),
    v.maxLength(20, 'must contain at most 20'),
  );
}

/** Names of queues become names of outputs, which have no hyphens. */
function withoutHyphens(name: string): string {
  return name.replaceAll('-', '');
}

const bucketPrefix = text(
  /^[\w.\-/=:~]{0,200}$/,
  'a prefix of keys: letters, digits and . - _ / = : ~, up to 200 characters',
);

const inputPlaces = v.pipe(
  v.array(
    objectOf({
      bucket: key(bucketName, 'Name of a bucket of `jobs.inputBuckets`.', 'my-inputs'),
      prefix: key(
        v.optional(bucketPrefix, ''),
        'Prefix of the keys of the objects. Without it, callers may name every object of the bucket.',
        'team-a/',
      ),
    }),
    'must be a list of buckets with prefixes',
  ),
  v.maxLength(20, 'must contain at most 20'),
);

const GRANTS = {
  replyQueues: key(
    v.optional(namesOf(queueName, 'queue names'), []),
    'Reply queues of `jobs.replyQueues` that callers may name in jobs.',
    ['results'],
  ),
  eventBus: key(
    v.optional(v.boolean('must be true or false'), false),
    'Whether jobs of callers may send their results to the event bus.',
    true,
  ),
  inputBuckets: key(
    v.optional(inputPlaces, []),
    'Objects in your buckets that callers may name as `input_s3`. See [what a plan grants](security.md#what-a-plan-grants).',
    [{ bucket: 'my-inputs', prefix: 'team-a/' }],
  ),
};

/** A budget: a whole number up to a limit that no budget needs. */
function budget(name: BudgetName, description: string, example: number, most = 1_000_000_000_000_000) {
  return key(v.optional(wholeNumber(1, most), DEFAULT_BUDGETS[name]), description, example);
}

const budgetsSchema = objectOf({
  storedBytes: budget('storedBytes', 'Bytes of files, open uploads and outputs of batches.', 1_000_000_000),
  files: budget('files', 'Number of files.', 100),
  fileBytes: budget('fileBytes', 'Bytes of one file; `jobs.maxFileBytes` applies too.', 100_000_000),
  webhooks: budget('webhooks', 'Registered webhooks. Each of them is called for every job.', 2, MAX_SUBSCRIPTIONS),
  openUploads: budget('openUploads', 'Number of open uploads in parts.', 5, 1000),
  openBatches: budget('openBatches', 'Batches that have not ended.', 5, 1000),
  batchRequests: budget('batchRequests', 'Requests of one batch.', 50_000, MAX_BATCH_REQUESTS),
  batchOutputBytes: budget(
    'batchOutputBytes',
    'Maximum number of bytes of the outputs of one batch. Once it is reached, the remaining requests end as errors.',
    1_000_000_000,
  ),
});

const usagePlanSchema = objectOf({
  ...RATES,
  quota: key(
    v.optional(
      objectOf({
        limit: key(wholeNumber(1, 1_000_000_000), 'Maximum number of requests of one key in a period.', 10_000),
        period: key(oneOf(['DAY', 'WEEK', 'MONTH']), 'Period after which the count starts again, in UTC.', 'DAY'),
      }),
    ),
    'Maximum number of requests of one key in a period. Without it, keys have no quota.',
  ),
  keys: key(
    v.optional(v.pipe(v.array(planName, 'must be a list of key names'), eachOnce), ['default']),
    'Names of the keys of the plan. AWS generates a value for each. Each key has the rates and the quota of the plan.',
    ['batch', 'site'],
  ),
  ...GRANTS,
  budgets: key(
    v.optional(budgetsSchema, {}),
    'Limits on the storage and the running work of one tenant. See [budgets](security.md#budgets).',
    { openBatches: 5, batchRequests: 50_000 },
  ),
});

/** Maximum number of keys that a tenant has at a time: the current key, and its successor during a rotation. */
const MAX_TENANT_KEYS = 2;

const tenantId = v.pipe(
  text(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/, 'letters, digits, - and _, a letter or digit first, up to 64 characters'),
  v.check((id) => id !== PRODUCERS, `must not be ${PRODUCERS}, the owner of the jobs of producers`),
);

const tenantKeys = v.pipe(
  v.array(planName, 'must be a list of key names'),
  v.minLength(1, 'must contain at least one key name'),
  v.maxLength(MAX_TENANT_KEYS, `must contain ${MAX_TENANT_KEYS} key names at most`),
  eachOnce,
);

const tenantSchema = objectOf({
  plan: key(planName, 'Usage plan whose limits apply to each key of the tenant.', 'pro'),
  keys: key(
    v.optional(tenantKeys, ['default']),
    'Names of the active keys, one or two. To rotate: add a name, deploy, move callers to the new key, remove the old name.',
    ['k2025', 'k2026'],
  ),
  id: key(
    v.optional(tenantId),
    'Id that owns the records of the tenant. Default: its name. To keep what an earlier key of `usagePlans` owns, write the id of that key.',
    '1a2b3c4d5e',
  ),
});

const tenantsSchema = v.pipe(
  v.record(v.pipe(planName, tenantId), tenantSchema, 'must map tenant names to plans and keys'),
  v.maxEntries(MAX_STAGE_VARIABLES, `must contain ${MAX_STAGE_VARIABLES} at most: each is a stage variable`),
);

const keyHeader = oneOf(KEY_HEADERS);

const acceptedHeaders = v.pipe(
  v.union(
    [keyHeader, v.pipe(v.array(keyHeader), v.minLength(1))],
    `must be ${KEY_HEADERS.join(', ')} or a list of both`,
  ),
  v.transform((accept): readonly KeyHeader[] => KEY_HEADERS.filter((header) => [accept].flat().includes(header))),
);

const authSchema = objectOf({
  accept: key(
    v.optional(acceptedHeaders, [...KEY_HEADERS]),
    'How callers present their keys: `bearer` (`Authorization: Bearer <key>`, as every OpenAI client sends it), `x-api-key`, or both. `bearer` needs an authorizer. With both, each request calls it. With `bearer` alone, API Gateway keeps its results for 5 minutes. `x-api-key` alone needs no authorizer. See [keys](deploy.md#how-callers-present-their-keys).',
    'bearer',
  ),
});

const cacheSchema = objectOf({
  scope: key(
    v.optional(oneOf(CACHE_SCOPES), DEFAULT_CACHE_SCOPE),
    'Callers who share cached results: those of one tenant, of one usage plan, or all. See [who shares results](caching.md#who-shares-results).',
    'deployment',
  ),
});

const throttleSchema = objectOf(RATES);

/** CloudWatch Logs accepts these retentions only, in days. */
const RETENTION_DAYS = [
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
] as const;

/**
 * Namespaces that CloudWatch takes; those of AWS itself are reserved.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html
 */
const metricsNamespace = text(
  /^(?!AWS\/)[A-Za-z0-9._/#-][A-Za-z0-9 ._/#:-]{0,254}$/,
  'letters, digits, spaces and . - _ / # :, up to 255 characters, not starting with AWS/',
);

/** Largest object that one PUT takes (Amazon S3), and so the largest file. */
const LARGEST_FILE_BYTES = 5 * 1024 ** 3;

const producersSchema = objectOf({
  replyQueues: key(
    v.optional(namesOf(queueName, 'queue names')),
    'Reply queues that producers may name. Without it, they may name all reply queues.',
    ['results'],
  ),
  eventBus: key(
    v.optional(v.boolean('must be true or false'), true),
    'Whether jobs of producers may send their results to the event bus.',
    false,
  ),
  inputBuckets: key(
    v.optional(inputPlaces),
    'Objects that producers may name as `input_s3`. Without it, they may name every object of every bucket.',
    [{ bucket: 'my-inputs', prefix: 'shop/' }],
  ),
});

/** Settings of jobs: asynchronous requests, batches, webhooks and the producer queue. */
export const jobsConfigSchema = objectOf({
  enabled: key(
    v.optional(v.boolean('must be true or false'), true),
    'Whether the deployment has jobs, files, batches, webhooks and the producer queue. Without them an idle deployment costs nothing but storage.',
    false,
  ),
  retentionDays: key(
    v.optional(wholeNumber(1, 365), 7),
    'Days that records and results of jobs are kept, counted from the end of the job.',
    30,
  ),
  replyQueues: key(
    v.optional(namesOf(queueName, 'queue names', withoutHyphens), []),
    'Names of the queues that jobs may name for their results. The deployment creates them.',
    ['results'],
  ),
  inputBuckets: key(
    v.optional(namesOf(bucketName, 'bucket names'), []),
    'Your buckets from which jobs may read their inputs. Workers may read every object in them.',
    ['my-inputs'],
  ),
  producers: key(
    v.optional(producersSchema, {}),
    'Resources that jobs on the producer queue may use. Every principal that may send to the queue can use them.',
    { inputBuckets: [{ bucket: 'my-inputs', prefix: 'shop/' }] },
  ),
  alarms: key(
    v.optional(v.boolean('must be true or false'), false),
    'Whether there are alarms on jobs even if the section [`alarms`](#alarms) is absent.',
    true,
  ),
  maxFileBytes: key(
    v.optional(wholeNumber(1, LARGEST_FILE_BYTES), LARGEST_FILE_BYTES),
    'Maximum size of a file for batches.',
    104_857_600,
  ),
  fileRetentionDays: key(
    v.optional(wholeNumber(1, 365), 30),
    'Days that files of callers and outputs of batches are kept.',
    7,
  ),
  deadLetterRetentionDays: key(
    v.optional(wholeNumber(1, 14), 14),
    'Days that dead letters are kept: messages that no function could process.',
    7,
  ),
});

/** Settings of jobs with every default filled in. */
export type JobsConfig = v.InferOutput<typeof jobsConfigSchema>;

/** How the concurrent executions of AWS Lambda are divided. */
const concurrencySchema = objectOf({
  account: key(
    v.optional(wholeNumber(10, 1_000_000), 1000),
    'Quota "Concurrent executions" of AWS Lambda for your account in the region. A new account may have 10: `aws lambda get-account-settings --query AccountLimit.ConcurrentExecutions` shows it.',
    10,
  ),
  interactiveShare: key(
    v.optional(numberIn(0, 0.95), 0.5),
    'Share of the quota that is kept for requests that callers wait for. Jobs, batches and webhooks never use it: their concurrency is reduced at synthesis until they fit into the rest.',
    0.8,
  ),
});

/**
 * Tags as CloudFormation takes them for stacks; names that begin with `aws:` are reserved.
 *
 * @see https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_Tag.html
 */
const tagsSchema = v.pipe(
  v.record(
    text(
      /^(?!aws:)[\p{L}\p{N} _.:/=+@-]{1,128}$/iu,
      'letters, digits, spaces and _ . : / = + - @, up to 128 characters, not starting with aws:',
    ),
    text(
      /^[\p{L}\p{N} _.:/=+@-]{1,256}$/u,
      'a text of letters, digits, spaces and _ . : / = + - @, up to 256 characters',
    ),
    'must map names of tags to texts',
  ),
  v.maxEntries(50, 'must contain at most 50'),
);

/** One address, as RFC 5321 limits its length; AWS checks it by a message that its owner confirms. */
const emailAddress = text(/^(?=.{6,254}$)[^\s@,;<>"]+@[^\s@,;<>"]+\.[^\s@,;<>"]+$/, 'an e-mail address');

const topicArn = text(
  /^arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}$/,
  'the ARN of a standard SNS topic, arn:aws:sns:<region>:<account>:<name>',
);

/** Alarms of the deployment, and who is notified of them. */
const alarmsSchema = v.pipe(
  objectOf({
    enabled: key(
      v.optional(v.boolean('must be true or false'), true),
      'Whether there are alarms. Each costs $0.10 a month, and synthesis prints the sum.',
      false,
    ),
    email: key(
      v.optional(emailAddress),
      'Address that is notified when an alarm starts and when it ends. AWS sends it a message with a link that confirms the subscription. Do not set `topicArn` as well.',
      'oncall@example.com',
    ),
    topicArn: key(
      v.optional(topicArn),
      'Your own SNS topic in the region of the deployment, which is notified instead of `email`. Its policy must let `cloudwatch.amazonaws.com` publish.',
      'arn:aws:sns:eu-central-1:111122223333:oncall',
    ),
  }),
  v.check(
    ({ email, topicArn }) => email === undefined || topicArn === undefined,
    'must have email or topicArn, not both: subscribe the address to your topic',
  ),
);

/**
 * Schema of `config/<stage>.yaml`. Every key has a default. An idle deployment with the defaults costs only the polling
 * of the queues of jobs.
 */
export const deployConfigSchema = v.pipe(
  objectOf({
    usagePlans: key(
      v.optional(
        v.pipe(
          v.record(planName, usagePlanSchema, 'must map plan names to limits'),
          v.minEntries(1, 'must contain at least one plan'),
        ),
        {
          free: { rateLimit: 5, burstLimit: 10, quota: { limit: 10_000, period: 'DAY' } },
          pro: { rateLimit: 50, burstLimit: 100, quota: { limit: 5_000_000, period: 'MONTH' } },
          internal: { rateLimit: 1000, burstLimit: 2000 },
        },
      ),
      'Limits and grants of callers, by plan. AWS enforces the rates and quotas on a best-effort basis.',
      { free: { rateLimit: 5, burstLimit: 10 } },
    ),
    tenants: key(
      v.optional(tenantsSchema, {}),
      'Named callers, whose jobs, files, batches and webhooks outlive their keys: see [tenants](deploy.md#tenants-and-their-keys). A key of `usagePlans` is a tenant of its own.',
      { acme: { plan: 'pro', keys: ['k2025', 'k2026'] } },
    ),
    auth: key(v.optional(authSchema, {}), 'How callers are identified.'),
    cache: key(v.optional(cacheSchema, {}), 'The results cache.'),
    throttle: key(
      v.optional(throttleSchema, { rateLimit: 2000, burstLimit: 4000 }),
      'Maximum rate of each method over all callers, which limits the damage that a leaked key can do.',
    ),
    concurrency: key(
      v.optional(concurrencySchema, {}),
      'How the concurrent executions of AWS Lambda are divided: see [concurrency](deploy.md#concurrency).',
    ),
    logRetentionDays: key(
      v.optional(v.picklist(RETENTION_DAYS, `must be one of ${RETENTION_DAYS.join(', ')}`), 30),
      'Days that logs are kept.',
      90,
    ),
    systemLogLevel: key(
      v.optional(oneOf(SYSTEM_LOG_LEVELS), 'INFO'),
      'Which lines AWS Lambda itself writes about invocations. `INFO`: two for each, its start and a report of time and memory. `WARN`: those of failures only, which costs less. See [logs](deploy.md#what-requests-cost).',
      'WARN',
    ),
    minimumCompressionBytes: key(
      v.optional(wholeNumber(0, 10_485_760), 1024),
      'Responses of at least this size are compressed for clients that accept it.',
      4096,
    ),
    alarms: key(
      v.optional(alarmsSchema),
      'Alarms on failed requests, functions, dead letters and messages that wait too long, and their recipient. Without this section, there are no alarms. See [alarms](deploy.md#alarms).',
    ),
    tracing: key(v.optional(v.boolean('must be true or false'), false), 'Whether AWS X-Ray traces requests.', true),
    metrics: key(
      v.optional(oneOf(METRICS_LEVELS), 'basic'),
      'Set of metrics that is recorded: see [logs and metrics](observability.md#how-much-is-measured).',
      'detailed',
    ),
    metricsNamespace: key(
      v.optional(metricsNamespace, 'Tensorgate'),
      'Namespace of the CloudWatch metrics.',
      'Acme/AI',
    ),
    retainData: key(
      v.optional(v.boolean('must be true or false'), true),
      'Whether the tables and the bucket are retained when their stack is deleted.',
      false,
    ),
    deletionProtection: key(
      v.optional(v.boolean('must be true or false'), false),
      'Whether AWS refuses to delete the stacks of data and of the API, and the tables of jobs and webhooks. Set it to false and deploy before you remove the stage. It costs nothing.',
      true,
    ),
    tags: key(
      v.optional(tagsSchema, {}),
      'Tags of every stack, which CloudFormation passes on to the resources that can have tags. Cost Explorer groups by them.',
      { team: 'search', 'cost-center': '4711' },
    ),
    maxIdleMonthlyUsd: key(
      v.optional(numberIn(0, 1_000_000)),
      'Synthesis fails if the deployment costs more US dollars a month while idle; `npm start` warns only. Without it there is no limit.',
      5,
    ),
    jobs: key(v.optional(jobsConfigSchema, {}), 'Asynchronous requests, batches, webhooks and the producer queue.'),
  }),
  v.forward(
    v.check(
      (config) => tenantsWithoutPlan(config).length === 0,
      ({ input }) =>
        `must each name one of the usage plans ${Object.keys(input.usagePlans).join(', ')}, which ${tenantsWithoutPlan(input).join(', ')} does not`,
    ),
    ['tenants'],
  ),
);

interface PlansAndTenants {
  readonly usagePlans: Readonly<Record<string, unknown>>;
  readonly tenants: Readonly<Record<string, { readonly plan: string }>>;
}

function tenantsWithoutPlan({ usagePlans, tenants }: PlansAndTenants): string[] {
  return Object.keys(tenants).filter((name) => !Object.hasOwn(usagePlans, tenants[name]?.plan ?? ''));
}

/** A deployment configuration with every default filled in. */
export type DeployConfig = v.InferOutput<typeof deployConfigSchema>;

/** Name and limits of one usage plan. */
export type UsagePlanConfig = v.InferOutput<typeof usagePlanSchema>;

/** Plan and keys of one tenant. */
export type TenantConfig = v.InferOutput<typeof tenantSchema>;

/** Stage names: the first part of the API's path, and of the file's name. */
export const STAGE_PATTERN = /^[a-z][a-z0-9-]{0,30}$/;

/** The rule of stage names, for messages. */
export const STAGE_RULE = 'lowercase letters, digits and hyphens, a letter first, up to 31 characters';

/**
 * Reads a parsed `config/<stage>.yaml`.
 *
 * @param value - The value from the YAML parser; for an empty file, every key has its default.
 * @param source - Path of the file, for the message.
 * @throws AppError `CONFIG_INVALID` that lists all problems.
 */
export function parseDeployConfig(value: unknown, source: string): DeployConfig {
  return parse(deployConfigSchema, value ?? {}, source, 'CONFIG_INVALID');
}
