import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { Duration } from 'aws-cdk-lib';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { idleMonthlyUsd } from '../../core/costs/cost.ts';
import { growingDelaySeconds } from '../../core/jobs/outage.ts';
import { InferenceApi, Jobs, type JobsSettings, ResultsTable } from '../../lib/index.ts';
import { packedEmbedding, packedTensor } from './packed-models.ts';
import { otherStack, resourcesOf, templateOf } from './synthesized-api.ts';
import {
  functionOf,
  invokedBy,
  mappingsOf,
  permissionsOf,
  queueId,
  queueOf,
  synthesizeJobs,
} from './synthesized-jobs.ts';

const DAY = 86_400;

const SLOW = { batchSize: 20, windowSeconds: 3, maxConcurrency: 4, timeoutSeconds: 120, maxReceiveCount: 2 };

const models = [packedEmbedding('one'), packedTensor('slow', { jobs: SLOW })];
const template = synthesizeJobs({
  models,
  replyQueues: ['results'],
  inputBuckets: [Bucket.fromBucketName(otherStack(), 'Inputs', 'inputs')],
});

describe('queues', () => {
  it('are encrypted, keep what waits for as long as can be, and take no plain HTTP', () => {
    const queues = resourcesOf(template, 'AWS::SQS::Queue');
    expect(queues).toHaveLength(5 + models.length * 2 + 1);
    for (const { Properties } of queues) {
      expect(Properties).toMatchObject({ SqsManagedSseEnabled: true, MessageRetentionPeriod: 14 * DAY });
      expect(Properties.QueueName).toBeUndefined();
    }
    const policies = resourcesOf(template, 'AWS::SQS::QueuePolicy');
    expect(policies).toHaveLength(queues.length);
    for (const { Properties } of policies) {
      expect(Properties.PolicyDocument.Statement).toEqual([
        expect.objectContaining({ Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } }),
      ]);
    }
  });

  it('hide a message for at least six timeouts of each function that takes it, and for the window', () => {
    const functions = new Map(resourcesOf(template, 'AWS::Lambda::Function').map((one) => [one.logicalId, one]));
    const aliases = new Map(resourcesOf(template, 'AWS::Lambda::Alias').map((one) => [one.logicalId, one]));
    const queues = new Map(resourcesOf(template, 'AWS::SQS::Queue').map((one) => [one.logicalId, one]));
    const mappings = resourcesOf(template, 'AWS::Lambda::EventSourceMapping');
    expect(mappings).toHaveLength(4 + models.length * 2);
    for (const { Properties } of mappings) {
      const invoked = invokedBy(Properties);
      const id = aliases.get(invoked)?.Properties.FunctionName.Ref ?? invoked;
      const timeout = functions.get(id)?.Properties.Timeout;
      const visibility = queues.get(Properties.EventSourceArn['Fn::GetAtt'][0])?.Properties.VisibilityTimeout;
      const window = Properties.MaximumBatchingWindowInSeconds ?? 0;
      expect(visibility).toBeGreaterThanOrEqual(6 * timeout + window);
      expect(visibility).toBeLessThanOrEqual(43_200);
    }
    expect(queueOf(template, 'jobs-slow').VisibilityTimeout).toBe(6 * 120 + 3);
  });

  it.each([
    ['jobs-one', 'lost-jobs', 400],
    ['chunks-one', 'lost-jobs', 400],
    ['jobs-slow', 'lost-jobs', 400],
    ['chunks-slow', 'lost-jobs', 400],
    ['jobs', 'dead-letters', 1000],
    ['lost-jobs', 'dead-letters', 1000],
    ['batches', 'dead-letters', 1000],
    ['webhooks', 'dead-letters', 1000],
  ])('move messages from %s to %s after %i receives', (from, to, maxReceiveCount) => {
    expect(queueOf(template, from).RedrivePolicy).toEqual({
      deadLetterTargetArn: { 'Fn::GetAtt': [queueId(template, to), 'Arn'] },
      maxReceiveCount,
    });
  });

  it.each([
    ['continues in the dead-letter queue', (lost: number, model: number) => lost - model],
    ['starts again in the dead-letter queue', (lost: number) => lost],
  ])('let fail-lost-jobs try for a day if the count of receives %s', (_, deliveries) => {
    const receives = (name: string) => Number(queueOf(template, name).RedrivePolicy.maxReceiveCount);
    // The shortest of the longest waits.
    const shortestWaitSeconds = growingDelaySeconds(1000, 0);
    expect(deliveries(receives('lost-jobs'), receives('jobs-one')) * shortestWaitSeconds).toBeGreaterThan(DAY);
  });

  it('have their URLs before functions that reply to them are deployed', () => {
    const stack = otherStack();
    new Jobs(stack, 'Jobs', { models, replyQueues: ['results'] });
    const outer = Template.fromStack(stack);
    const [url] = resourcesOf(outer, 'AWS::SSM::Parameter');
    expect(url?.Properties.Name).toMatch(/\/replies\/results$/);
    const ofModels = resourcesOf(outer, 'AWS::CloudFormation::Stack');
    const functions = resourcesOf(outer, 'AWS::Lambda::Function');
    expect([ofModels.length, functions.length]).toEqual([models.length, 5]);
    for (const { DependsOn } of [...ofModels, ...functions]) expect(DependsOn).toContain(url?.logicalId);
  });

  it.each(['dead-letters', 'reply-results'])('move no messages from %s, because its readers delete them', (name) => {
    expect(queueOf(template, name).RedrivePolicy).toBeUndefined();
  });

  it('keep dead letters for the configured time', () => {
    const short = synthesizeJobs({ models, deadLetterRetention: Duration.days(3) });
    expect(queueOf(short, 'dead-letters').MessageRetentionPeriod).toBe(3 * DAY);
    expect(queueOf(short, 'jobs').MessageRetentionPeriod).toBe(14 * DAY);
  });
});

describe('event source mappings', () => {
  it('report the failed messages of a batch, and run a bounded number concurrently', () => {
    for (const { Properties } of resourcesOf(template, 'AWS::Lambda::EventSourceMapping')) {
      expect(Properties.FunctionResponseTypes).toEqual(['ReportBatchItemFailures']);
      expect(Properties.ScalingConfig.MaximumConcurrency).toBeGreaterThanOrEqual(2);
    }
  });

  it('take batch size, window and concurrency of a model’s jobs from its manifest, and one chunk at a time', () => {
    expect(mappingsOf(template, 'run-jobs-slow')).toEqual([
      expect.objectContaining({
        EventSourceArn: { 'Fn::GetAtt': [queueId(template, 'jobs-slow'), 'Arn'] },
        BatchSize: 20,
        MaximumBatchingWindowInSeconds: 3,
        ScalingConfig: { MaximumConcurrency: 4 },
      }),
      expect.objectContaining({
        EventSourceArn: { 'Fn::GetAtt': [queueId(template, 'chunks-slow'), 'Arn'] },
        BatchSize: 1,
        ScalingConfig: { MaximumConcurrency: 4 },
      }),
    ]);
  });

  it.each([
    ['accept-jobs', 'jobs', 10],
    ['fail-lost-jobs', 'lost-jobs', 10],
    ['process-batches', 'batches', 1],
    ['deliver-webhooks', 'webhooks', 10],
  ])('invoke %s with messages of %s, %i together', (name, queue, batchSize) => {
    expect(mappingsOf(template, name)).toEqual([
      expect.objectContaining({
        EventSourceArn: { 'Fn::GetAtt': [queueId(template, queue), 'Arn'] },
        BatchSize: batchSize,
      }),
    ]);
  });
});

describe('functions of jobs', () => {
  it.each([
    ['accept-jobs', { MemorySize: 512, Timeout: 60, Architectures: ['arm64'] }],
    ['process-batches', { MemorySize: 1024, Timeout: 300, Architectures: ['arm64'] }],
    ['run-jobs-one', { MemorySize: 1769, Timeout: 60, Architectures: ['x86_64'] }],
    ['run-jobs-slow', { MemorySize: 1769, Timeout: 120, Architectures: ['x86_64'] }],
  ])('%s has %j', (name, expected) => {
    expect(functionOf(template, name)).toMatchObject({ ...expected, Runtime: 'nodejs24.x', Handler: 'index.handler' });
  });

  it('know the queues of their own model only, and how often it lets a message come', () => {
    const variables = functionOf(template, 'run-jobs-slow').Environment.Variables;
    const text = JSON.stringify(variables.TENSORGATE_OWN_QUEUES);
    expect(text).toContain(queueId(template, 'chunks-slow'));
    expect(text).not.toContain(queueId(template, 'jobs-one'));
    expect(variables).toMatchObject({
      TENSORGATE_MAX_RECEIVE_COUNT: '2',
      ORT_DISABLE_TELEMETRY: '1',
    });
  });

  it('look up the queues of models by parameters, which are in the stacks of the workers', () => {
    const { TENSORGATE_QUEUES_PATH: path } = functionOf(template, 'accept-jobs').Environment.Variables;
    const parameters = resourcesOf(template, 'AWS::SSM::Parameter').map(({ Properties }) => Properties);
    const ofOne = parameters.find(({ Name: name }) => name === `${path}/models/one`);
    expect(JSON.stringify(ofOne.Value)).toMatch(/JobsQueuesjobsone.*JobsQueueschunksone/);
    expect(permissionsOf(template, 'JobsFunctionsacceptjobs')).toHaveProperty('ssm:GetParameter');
  });

  it('know all models if they serve all, the default model first', () => {
    const stack = otherStack();
    const both = [packedEmbedding('a'), packedTensor('b'), packedEmbedding('c')];
    const jobs = new Jobs(stack, 'Jobs', { models: both, defaultEmbeddingModel: 'c' });
    const { package: built } = jobs.functionOf('accept-jobs');
    expect(JSON.parse(readFileSync(join(built.directory, 'settings.json'), 'utf8'))).toMatchObject({
      modelIds: ['a', 'b', 'c'],
      taskModels: { embedding: ['c', 'a'] },
    });
  });

  it('keep files for longer than jobs', () => {
    const kept = synthesizeJobs({ models, retention: Duration.days(3), fileRetention: Duration.days(40) });
    const variablesOf = (name: string) => functionOf(kept, name).Environment.Variables;
    expect(variablesOf('accept-jobs').TENSORGATE_RETENTION_DAYS).toBe('3');
    expect(variablesOf('process-batches').TENSORGATE_FILE_RETENTION_DAYS).toBe('40');
  });

  it('get the namespace and the level of metrics of their deployment', () => {
    const measured = synthesizeJobs({ models, metrics: 'detailed', metricsNamespace: 'Shop/Search' });
    for (const name of ['accept-jobs', 'run-jobs-one', 'process-batches']) {
      expect(functionOf(measured, name).Environment.Variables).toMatchObject({
        TENSORGATE_METRICS: 'detailed',
        TENSORGATE_METRICS_NAMESPACE: 'Shop/Search',
      });
    }
  });

  it('return metrics by their name in the catalogue', () => {
    const jobs = new Jobs(otherStack(), 'Jobs', { models, stageName: 'beta', metricsNamespace: 'Shop' });
    expect(jobs.metric('JobsLost')).toMatchObject({
      namespace: 'Shop',
      dimensions: { stage: 'beta' },
      statistic: 'Sum',
    });
    expect(jobs.metric('JobsFailed', { model: 'one' }).dimensions).toEqual({ stage: 'beta', model: 'one' });
    expect(() => jobs.metric('JobsFailed')).toThrow('JobsFailed is recorded under stage, model');
  });

  it('log to their own groups with the configured retention', () => {
    const traced = synthesizeJobs({ models, logRetention: RetentionDays.FIVE_DAYS, tracing: true });
    traced.allResourcesProperties('AWS::Logs::LogGroup', { RetentionInDays: 5 });
    traced.allResourcesProperties('AWS::Lambda::Function', { TracingConfig: { Mode: 'Active' } });
  });
});

describe('events of jobs', () => {
  it('are published on a bus of the stage, and all of them are logged', () => {
    const beta = synthesizeJobs({ models, stageName: 'beta' });
    beta.hasResourceProperties('AWS::Events::EventBus', { Name: 'tensorgate-beta' });
    beta.hasResourceProperties('AWS::Logs::LogGroup', { LogGroupName: '/aws/events/tensorgate-beta' });
    const [rule, ...others] = resourcesOf(beta, 'AWS::Events::Rule').filter(
      ({ Properties }) => Properties.EventPattern,
    );
    expect(others).toEqual([]);
    expect(rule?.Properties).toMatchObject({ EventPattern: { source: ['tensorgate.jobs'] }, State: 'ENABLED' });
    expect(JSON.stringify(rule?.Properties.Targets[0].Arn)).toMatch(/:logs:.*:log-group:.*JobsEventsLog/);
    beta.resourceCountIs('AWS::Logs::ResourcePolicy', 1);
  });

  it('are logged without the result and without any address of it', () => {
    const [rule] = resourcesOf(synthesizeJobs({ models }), 'AWS::Events::Rule');
    const [target] = rule?.Properties.Targets ?? [];
    const { Arn, Id, InputTransformer, ...others } = target;
    expect(others).toEqual({});
    expect(Object.values(InputTransformer.InputPathsMap).sort()).toEqual([
      '$.detail-type',
      '$.detail.data.endpoint',
      '$.detail.data.model',
      '$.detail.id',
      '$.detail.subject',
      '$.detail.time',
      '$.time',
    ]);
    expect(InputTransformer.InputTemplate).toMatch(/^\{"timestamp":<[\w-]+>,"message":"<[^"]*>"\}$/);
  });
});

describe('the sweep', () => {
  it('runs every five minutes and is never invoked twice for one event', () => {
    const rules = resourcesOf(template, 'AWS::Events::Rule').filter(({ Properties }) => Properties.ScheduleExpression);
    expect(rules.map(({ Properties }) => Properties)).toEqual([
      expect.objectContaining({
        ScheduleExpression: 'rate(5 minutes)',
        State: 'ENABLED',
        Targets: [expect.objectContaining({ RetryPolicy: { MaximumRetryAttempts: 0 } })],
      }),
    ]);
    expect(JSON.stringify(rules[0]?.Properties.Targets)).toContain('JobsFunctionssweeprecordsFunction');
    const { Timeout, LoggingConfig } = functionOf(template, 'sweep-records');
    expect(Timeout).toBeLessThan(300);
    expect(LoggingConfig).toMatchObject({ SystemLogLevel: 'WARN' });
  });

  it('adds seven resources to a stack, and at most seven more policies for many models', () => {
    const ids = Object.keys(template.toJSON()['Resources']).filter((id) => id.startsWith('JobsFunctionssweeprecords'));
    expect(ids.map((id) => id.replace(/(TestJobs\w+)?[0-9A-F]{8}$/, '')).sort()).toEqual([
      'JobsFunctionssweeprecordsFunction',
      'JobsFunctionssweeprecordsLogs',
      'JobsFunctionssweeprecordsRole',
      'JobsFunctionssweeprecordsRoleDefaultPolicy',
      expect.stringMatching(/^JobsFunctionssweeprecordsRoleModels\d$/),
      'JobsFunctionssweeprecordsSchedule',
      'JobsFunctionssweeprecordsScheduleAllowEventRule',
    ]);
  });

  it('has a price, with which a deployment of one model stays below two dollars a month', () => {
    const { priced } = new Jobs(otherStack(), 'Jobs', { models: [packedEmbedding('one')] });
    const { total, lines } = idleMonthlyUsd([], { queues: priced });
    expect(total).toBeLessThan(2);
    expect(lines.map(({ what }) => what)).toContain('function sweep-records every 5 minutes, 8,760 runs');
  });
});

describe('alarms', () => {
  it('do not exist by default, because they cost money', () => {
    template.resourceCountIs('AWS::CloudWatch::Alarm', 0);
  });

  it('watch dead letters, the age of what waits, and the function that runs by itself', () => {
    const alarms = resourcesOf(synthesizeJobs({ models, alarms: true }), 'AWS::CloudWatch::Alarm');
    expect(alarms.map(({ Properties: { MetricName, Threshold } }) => [MetricName, Threshold])).toEqual([
      ['ApproximateNumberOfMessagesVisible', 0],
      ['ApproximateAgeOfOldestMessage', 900], // jobs
      ['ApproximateAgeOfOldestMessage', 1800], // lost-jobs
      ['ApproximateAgeOfOldestMessage', 1800], // batches
      ['ApproximateAgeOfOldestMessage', 1800], // webhooks
      ['Errors', 0], // sweep-records
      ['ApproximateAgeOfOldestMessage', 900],
      ['ApproximateAgeOfOldestMessage', 43_200],
      ['ApproximateAgeOfOldestMessage', 900],
      ['ApproximateAgeOfOldestMessage', 43_200],
    ]);
    for (const { Properties } of alarms) {
      expect(Properties).toMatchObject({
        ComparisonOperator: 'GreaterThanThreshold',
        TreatMissingData: 'notBreaching',
      });
    }
  });
});

describe('Jobs', () => {
  const setUp = () => {
    const stack = otherStack();
    const jobs = new Jobs(stack, 'Jobs', { models, replyQueues: ['results'] });
    const program = new Role(stack, 'Program', { assumedBy: new ServicePrincipal('ec2.amazonaws.com') });
    return { stack, jobs, program };
  };

  it('lets a producer send to the queue of jobs, and nothing else', () => {
    const { stack, jobs, program } = setUp();
    jobs.grantSendMessages(program);
    expect(permissionsOf(templateOf(stack), 'Program')).toEqual({
      'sqs:SendMessage': ['JobsQueuesjobs'],
      'sqs:GetQueueUrl': ['JobsQueuesjobs'],
      'sqs:GetQueueAttributes': ['JobsQueuesjobs'],
    });
  });

  it('lets a program read one reply queue', () => {
    const { stack, jobs, program } = setUp();
    jobs.grantConsumeReplies(program, 'results');
    const permissions = permissionsOf(templateOf(stack), 'Program');
    expect(Object.keys(permissions)).toEqual(expect.arrayContaining(['sqs:ReceiveMessage', 'sqs:DeleteMessage']));
    expect(new Set(Object.values(permissions).flat())).toEqual(new Set(['JobsQueuesreplyresults']));
  });

  it.each<[string, () => unknown, string | RegExp]>([
    [
      'a reply queue that is not there is to be read',
      () => {
        const { jobs, program } = setUp();
        return jobs.grantConsumeReplies(program, 'others');
      },
      'replyQueues must contain others for it to be read, known: results',
    ],
    [
      'there is no model',
      () => new Jobs(otherStack(), 'Jobs', { models: [] }),
      'models must contain at least one model',
    ],
    [
      'a setting is wrong',
      () => new Jobs(otherStack(), 'Jobs', { models, retention: Duration.days(0) }),
      'jobs.retentionDays: ',
    ],
    ['the stage has no proper name', () => new Jobs(otherStack(), 'Jobs', { models, stageName: 'A' }), 'got "A"'],
    [
      'the API has a model that jobs do not know',
      () => {
        const { stack, jobs } = setUp();
        return new InferenceApi(stack, 'Api', { models: [packedEmbedding('new')], jobs });
      },
      'jobs must have every model of the API, new is not among one, slow',
    ],
  ])('fails with CONFIG_INVALID when %s', (_, build, message) => {
    expect(build).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringMatching(message) }));
  });

  it('uses a table of results in the workers whose manifest asks for it', () => {
    const stack = otherStack();
    const memory = packedEmbedding('light', { cache: { store: 'memory' } });
    const { table: resultsTable } = new ResultsTable(stack, 'Results');
    new Jobs(stack, 'Jobs', { models: [...models, memory], resultsTable });
    const synthesized = templateOf(stack);
    const tableOf = (name: string) => functionOf(synthesized, name).Environment.Variables.TENSORGATE_RESULTS_TABLE;
    expect(tableOf('run-jobs-one')).toEqual({ Ref: expect.stringMatching(/^ResultsTable/) });
    expect(tableOf('run-jobs-light')).toBeUndefined();
  });
});

describe('concurrency', () => {
  const limits = (settings: JobsSettings) =>
    resourcesOf(synthesizeJobs({ models, ...settings }), 'AWS::Lambda::EventSourceMapping').map(
      ({ Properties }) => Properties.ScalingConfig.MaximumConcurrency as number,
    );
  const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0);

  it('is the maximum of each function if the account has enough', () => {
    expect(limits({}).sort((a, b) => a - b)).toEqual([4, 4, 5, 10, 10, 10, 10, 40]);
  });

  it('is reduced for jobs, batches and webhooks to the share that callers leave', () => {
    const reduced = limits({ concurrency: { account: 100, interactiveShare: 0.6 } });
    expect(sum(reduced)).toBeLessThanOrEqual(40);
    expect(Math.min(...reduced)).toBe(2);
  });

  it('is passed to the function that divides the share of webhooks', () => {
    const concurrency = { account: 100 };
    const reduced = synthesizeJobs({ models, concurrency });
    const variables = functionOf(reduced, 'deliver-webhooks').Environment.Variables;
    expect(Number(variables.TENSORGATE_WEBHOOK_CONCURRENCY)).toBe(Math.max(...limits({ concurrency })));
  });

  it('causes a warning if nothing is left for callers', () => {
    const stack = otherStack();
    const { concurrency } = new Jobs(stack, 'Jobs', { models, concurrency: { account: 10 } });
    expect(concurrency.interactive).toBe(0);
    Annotations.fromStack(stack).hasWarning('*', Match.stringLikeRegexp('request a higher quota'));
  });

  it('is refused if models reserve more than AWS allows', () => {
    const reserving = [packedTensor('r', { compute: { target: 'lambda', memoryMiB: 1769, reservedConcurrency: 901 } })];
    expect(() => new Jobs(otherStack(), 'Jobs', { models: reserving })).toThrow(/unreserved/);
  });
});
