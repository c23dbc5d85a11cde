import type { Alarm, Metric } from 'aws-cdk-lib/aws-cloudwatch';
import type { ITable } from 'aws-cdk-lib/aws-dynamodb';
import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { Construct } from 'constructs';
import { checkGranted, type Grantable } from '../../core/config/granted.ts';
import type { PricedQueues } from '../../core/costs/cost.ts';
import { AppError } from '../../core/errors.ts';
import type { ConcurrencyPlan } from '../../core/functions/concurrency-plan.ts';
import type { FunctionName } from '../../core/functions/functions.ts';
import type { ModelAliases } from '../../core/models/model-names.ts';
import { checkJobsTable, JobsTable } from '../data/jobs-table.ts';
import { PayloadBucket } from '../data/payload-bucket.ts';
import { checkResultsTable } from '../data/results-table.ts';
import { checkWebhooksTable, WebhooksTable } from '../data/webhooks-table.ts';
import type { GpuEndpoint } from '../endpoints/gpu-endpoint.ts';
import type { ServiceFunctionProps } from '../functions/service-function.ts';
import { checkStackSize } from '../limits/stack-size.ts';
import { notifyOf } from '../monitoring/alarm-topic.ts';
import { catalogueMetric, type JobMetricName } from '../monitoring/catalogue-metric.ts';
import { type JobMetricOptions, JobMetrics } from '../monitoring/job-metrics.ts';
import { composeServicePackage } from '../packaging/function-package.ts';
import type { Model } from '../packaging/model.ts';
import { aliasesOf } from '../packaging/model-aliases.ts';
import { checkModelIds } from '../packaging/model-ids.ts';
import { functionBundle } from '../packaging/package-layout.ts';
import { chooseRouteModels, type DefaultModels } from '../packaging/route-models.ts';
import { grantJobAccess, type JobParts, jobSettings } from './job-access.ts';
import { JobAlarms } from './job-alarms.ts';
import { JobEvents } from './job-events.ts';
import { JobFunctions } from './job-functions.ts';
import { JobQueues } from './job-queues.ts';
import { planJobsConcurrency } from './jobs-concurrency.ts';
import { type JobsSettings, resolveJobsSettings } from './jobs-settings.ts';

/** Settings of {@link Jobs}. */
export interface JobsProps extends JobsSettings {
  /** Models that jobs may name, at least one; an API with these jobs serves no others. */
  readonly models: readonly Model[];
  /**
   * Table that caches results for later requests and jobs: that of a {@link ResultsTable}, or your own with the same keys.
   *
   * @default - results are cached in the workers' memory only, even if a manifest says `cache: { store: table }`
   */
  readonly resultsTable?: ITable;
  /**
   * Where models run whose manifests say `target: sagemaker`.
   *
   * @default - none
   */
  readonly endpoints?: readonly GpuEndpoint[];
  /**
   * Records of jobs, files and batches: the table of a {@link JobsTable}, or your own with the same keys and indexes.
   *
   * @default - a new table
   */
  readonly jobsTable?: ITable;
  /**
   * Secrets of webhooks and the log of deliveries: the table of a {@link WebhooksTable}, or your own with the same key.
   *
   * @default - a new table
   */
  readonly webhooksTable?: ITable;
  /**
   * Large inputs and results, and files: the bucket of a {@link PayloadBucket}, or your own with its lifecycle rules.
   *
   * @default - a new bucket
   */
  readonly payloadBucket?: IBucket;
  /**
   * Topic that is notified when an alarm starts and when it ends.
   *
   * @default - none: the alarms have no actions
   */
  readonly alarmTopic?: ITopic;
}

/**
 * Asynchronous inference: queues, workers for each model, records, files, webhooks and events. Pass it to an
 * `InferenceApi` to add the routes. Producers can use its queue without the API.
 *
 * @example
 * const jobs = new Jobs(stack, 'Jobs', { models, replyQueues: ['results'], retention: Duration.days(3) });
 * new InferenceApi(stack, 'Api', { models, jobs });
 *
 * const shop = new Role(stack, 'Shop', { assumedBy: new ServicePrincipal('ecs-tasks.amazonaws.com') });
 * jobs.grantSendMessages(shop);
 * jobs.grantConsumeReplies(shop, 'results');
 * jobs.metricJobsFailed('minilm').createAlarm(stack, 'Failed', { threshold: 10, evaluationPeriods: 1 });
 */
export class Jobs extends JobMetrics {
  /** Every queue. */
  readonly queues: JobQueues;
  /** The event bus, and the log of its events. */
  readonly events: JobEvents;
  /** The functions that consume the queues. */
  readonly functions: JobFunctions;
  /** Alarms on queues and on the scheduled function; none unless `alarms` is set. */
  readonly alarms: readonly Alarm[];
  /** Models that jobs may name. */
  readonly models: readonly Model[];
  /**
   * Resources that usage plans can grant.
   *
   * @internal
   */
  readonly grantable: Grantable;
  /**
   * Resources of the queues that cost money while idle.
   *
   * @internal
   */
  readonly priced: PricedQueues;
  /**
   * How the concurrent executions of the account are divided.
   *
   * @internal
   */
  readonly concurrency: ConcurrencyPlan;
  readonly #parts: JobParts;

  constructor(scope: Construct, id: string, props: JobsProps) {
    super(scope, id);
    const { models } = props;
    checkModelIds(models);
    const settings = resolveJobsSettings(props, this.node.path);
    const { config, cache, stageName, logRetention, tracing, systemLogLevel, metrics, metricsNamespace } = settings;
    const { removalPolicy, inputBuckets = [] } = props;
    this.models = models;
    this.grantable = config;
    checkGranted({ 'jobs.producers': config.producers }, config, this.node.path);
    this.queues = new JobQueues(this, 'Queues', { models, ...config });
    const concurrency = planJobsConcurrency(this, models, settings.concurrency);
    this.concurrency = concurrency.plan;
    this.events = new JobEvents(this, 'Events', { stageName, logRetention });
    this.#parts = {
      stageName,
      metrics,
      metricsNamespace,
      cacheScope: cache.scope,
      config,
      queues: this.queues,
      events: this.events,
      concurrency,
      workDirectory: workDirectoryOf(models),
      taskModels: taskModels(models, props),
      modelAliases: optionalAliases(models),
      inputBuckets,
      jobsTable: props.jobsTable ?? new JobsTable(this, 'Records', { removalPolicy }).table,
      webhooksTable: props.webhooksTable ?? new WebhooksTable(this, 'Webhooks', { removalPolicy }).table,
      payloadBucket: props.payloadBucket ?? new PayloadBucket(this, 'Payloads', props).bucket,
    };
    checkJobsTable(this.#parts.jobsTable);
    checkWebhooksTable(this.#parts.webhooksTable);
    if (props.resultsTable !== undefined) checkResultsTable(props.resultsTable);
    this.functions = new JobFunctions(this, 'Functions', {
      models,
      parts: this.#parts,
      logRetention,
      tracing,
      systemLogLevel,
      resultsTable: props.resultsTable,
      endpoints: props.endpoints,
    });
    const { queues, functions } = this;
    this.alarms = config.alarms ? new JobAlarms(this, 'Alarms', { queues, functions }).alarms : [];
    notifyOf(this.alarms, props.alarmTopic);
    this.priced = { mappings: functions.mappings, alarms: this.alarms.length, scheduled: functions.schedules };
    checkStackSize(this, models.length);
  }

  /**
   * Returns a metric that the job functions record, by its name in docs/observability.md.
   *
   * @param name - `JobsFailed`, `JobsLost`, `DeadLetters`, …
   * @throws AppError `CONFIG_INVALID` when the deployment does not record it with or without a model.
   */
  override metric(name: JobMetricName, { model, ...options }: JobMetricOptions = {}): Metric {
    return catalogueMetric(name, this.#parts, { model }, options);
  }

  /** Grants `grantee` permission to send messages to the producer queue, and nothing else. */
  grantSendMessages(grantee: IGrantable): Grant {
    return grantSend(grantee, this.queues.shared.jobs.queueArn);
  }

  /**
   * Grants `grantee` permission to receive and delete messages of a reply queue.
   *
   * @param name - One of the names in `replyQueues`.
   * @throws AppError `CONFIG_INVALID` if no such queue exists.
   */
  grantConsumeReplies(grantee: IGrantable, name: string): Grant {
    const queue = this.queues.replies.get(name);
    if (queue !== undefined) return queue.grantConsumeMessages(grantee);
    const known = [...this.queues.replies.keys()].join(', ') || 'none';
    throw new AppError('CONFIG_INVALID', `replyQueues must contain ${name} for it to be read, known: ${known}`);
  }

  /**
   * Grants the function of a model permission to submit jobs.
   *
   * @internal
   */
  grantSubmit(grantee: IGrantable, model: Model): void {
    this.#checkModel(model);
    grantJobAccess('serve-model', grantee, this.#parts, model);
  }

  /**
   * Environment variables with which the function of a model submits jobs.
   *
   * @internal
   */
  submitterEnvironment(model: Model): Readonly<Record<string, string>> {
    this.#checkModel(model);
    return jobSettings('serve-model', this.#parts, model).environment;
  }

  /**
   * Properties of a function that belongs to no model: its package, and its environment variables.
   *
   * @internal
   */
  functionOf(name: FunctionName): Pick<ServiceFunctionProps, 'package' | 'environment'> {
    const { environment, packaged } = jobSettings(name, this.#parts);
    const { workDirectory } = this.#parts;
    return { environment, package: composeServicePackage(functionBundle(name), packaged, workDirectory) };
  }

  /**
   * Grants a function that belongs to no model the permissions that it needs.
   *
   * @internal
   */
  grantAccess(name: FunctionName, grantee: IGrantable): void {
    grantJobAccess(name, grantee, this.#parts);
  }

  #checkModel({ id }: Model): void {
    if (this.queues.models.has(id)) return;
    const known = [...this.queues.models.keys()].join(', ');
    throw new AppError('CONFIG_INVALID', `jobs must have every model of the API, ${id} is not among ${known}`);
  }
}

/** There is at least one model. */
function workDirectoryOf([first]: readonly Model[]): string {
  return first?.workDirectory ?? '';
}

function grantSend(grantee: IGrantable, queueArn: string): Grant {
  return Grant.addToPrincipal({
    grantee,
    actions: ['sqs:SendMessage', 'sqs:GetQueueUrl', 'sqs:GetQueueAttributes'],
    resourceArns: [queueArn],
  });
}

function optionalAliases(models: readonly Model[]): ModelAliases | undefined {
  const aliases = aliasesOf(models);
  return Object.keys(aliases).length === 0 ? undefined : aliases;
}

/** Ids of the models by task; the one for requests that name none is the first. */
function taskModels(models: readonly Model[], settings: DefaultModels): Readonly<Record<string, readonly string[]>> {
  const groups = chooseRouteModels(models, settings);
  return Object.fromEntries(groups.map(({ task, first, others }) => [task, [first, ...others].map(({ id }) => id)]));
}
