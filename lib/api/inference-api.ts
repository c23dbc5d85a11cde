import { Names, RemovalPolicy, Size, Stack, Validations } from 'aws-cdk-lib';
import {
  AccessLogFormat,
  ApiKeySourceType,
  type CfnStage,
  EndpointType,
  LogGroupLogDestination,
  type MethodDeploymentOptions,
  MethodLoggingLevel,
  RestApi,
} from 'aws-cdk-lib/aws-apigateway';
import type { Alarm, Metric, MetricOptions } from 'aws-cdk-lib/aws-cloudwatch';
import type { ITable } from 'aws-cdk-lib/aws-dynamodb';
import { CfnPermission } from 'aws-cdk-lib/aws-lambda';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { BINARY_MEDIA_TYPES } from '../../core/api/accepted-media-type.ts';
import { SHARED_ROUTES, UNKNOWN_PATHS } from '../../core/api/routes.ts';
import { checkGranted } from '../../core/config/granted.ts';
import { AppError } from '../../core/errors.ts';
import type { ConcurrencyPlan } from '../../core/functions/concurrency-plan.ts';
import type { KeyHeader } from '../../core/identity/credentials.ts';
import { MAX_STAGE_VARIABLES } from '../../core/identity/key-tenants.ts';
import { checkIdleCost, type Deployed } from '../costs/idle-cost.ts';
import { ResultsTable } from '../data/results-table.ts';
import { endpointOf, GpuEndpoint } from '../endpoints/gpu-endpoint.ts';
import { ModelStack } from '../functions/model-stack.ts';
import type { ServiceFunction, ServiceFunctionOptions } from '../functions/service-function.ts';
import type { Jobs } from '../jobs/jobs.ts';
import { checkReservations } from '../jobs/jobs-concurrency.ts';
import { warnOfAccountThrottle } from '../limits/account-throttle.ts';
import { checkApiPaths } from '../limits/api-paths.ts';
import { checkKeyResources } from '../limits/key-limits.ts';
import { checkStackSize } from '../limits/stack-size.ts';
import { notifyOf } from '../monitoring/alarm-topic.ts';
import type { Model } from '../packaging/model.ts';
import { checkModelIds, modelConstructId } from '../packaging/model-ids.ts';
import { chooseRouteModels, type RouteModels } from '../packaging/route-models.ts';
import { ACCESS_LOG_FIELDS } from './access-log.ts';
import { ApiAlarms, countAlarmMetrics } from './api-alarms.ts';
import { ApiRoutes } from './api-routes.ts';
import { type ApiSettings, type ResolvedApiSettings, resolveApiSettings } from './api-settings.ts';
import { CallerAuthorizer, needsAuthorizer } from './caller-authorizer.ts';
import { GatewayResponses } from './gateway-responses.ts';
import { JobRoutes } from './job-routes.ts';
import { KeyHashes } from './key-hashes.ts';
import { ModelFunction } from './model-function.ts';
import { type PlanKey, UsagePlans } from './usage-plans.ts';

/** Settings of an {@link InferenceApi}. */
export interface InferenceApiProps extends ApiSettings {
  /** Models to serve, as {@link Models.fromDirectory} reads them: at least one, each id once. */
  readonly models: readonly Model[];
  /**
   * Table that caches results for later requests: that of a {@link ResultsTable}, or your own with the same keys.
   *
   * @default - a new table, if the manifest of a model says `cache: { store: table }`
   */
  readonly resultsTable?: ITable;
  /**
   * Where models run whose manifests say `target: sagemaker`.
   *
   * @default - an endpoint for each of them
   */
  readonly endpoints?: readonly GpuEndpoint[];
  /**
   * Asynchronous requests, files, batches and webhooks.
   *
   * @default - none: the routes are absent, and the preference `respond-async` is ignored
   */
  readonly jobs?: Jobs;
  /**
   * Topic that is notified when an alarm starts and when it ends.
   *
   * @default - none: the alarms have no actions
   */
  readonly alarmTopic?: ITopic;
  /**
   * File that the settings were read from, for messages about them.
   *
   * @default - messages name the construct
   */
  readonly settingsFile?: string;
}

/** Files come as forms, whose bytes must arrive as they are. */
const FORM_MEDIA_TYPE = 'multipart/form-data';

/**
 * A REST API that serves models: keys and usage plans in front, one function for each model behind.
 *
 * @example
 * const api = new InferenceApi(stack, 'Api', {
 *   models: Models.fromDirectory('models'),
 *   usagePlans: { site: { rateLimit: 20, burstLimit: 40, quota: { limit: 100_000, period: Period.DAY } } },
 *   logRetention: RetentionDays.THREE_MONTHS,
 * });
 * new CfnOutput(stack, 'Url', { value: api.url });
 */
export class InferenceApi extends Construct {
  /** The REST API, for features without a property here: domain names, web ACLs, alarms. */
  readonly restApi: RestApi;
  /** One function for each model, in the order given. */
  readonly functions: readonly ModelFunction[];
  /** Functions around jobs: those of the API's routes, and those behind the queues. */
  readonly jobFunctions: readonly ServiceFunction[];
  /** Headers by which callers may present their keys. */
  readonly acceptedHeaders: readonly KeyHeader[];
  /** Functions of the authorizer: the one that API Gateway calls, and the one that hashes keys. */
  readonly authorizerFunctions: readonly ServiceFunction[];
  /** Every key of every usage plan and tenant. */
  readonly keys: readonly PlanKey[];
  /** Alarms on failed requests and on functions of models; none unless `alarms` is set. */
  readonly alarms: readonly Alarm[];
  /**
   * Resources of the deployment that cost money while idle.
   *
   * @internal
   */
  readonly deployed: Deployed;
  /**
   * How the concurrent executions of the account are divided; undefined without jobs, which are the only background work.
   *
   * @internal
   */
  readonly concurrency: ConcurrencyPlan | undefined;
  private readonly settings: ResolvedApiSettings;

  constructor(scope: Construct, id: string, props: InferenceApiProps) {
    super(scope, id);
    this.settings = resolveApiSettings(props, this.node.path);
    checkModelIds(props.models);
    const routeModels = chooseRouteModels(props.models, props);
    const { jobs } = props;
    const endpoints = props.endpoints ?? this.createEndpoints(props.models);
    const hasAlarms = this.settings.alarms?.enabled === true;
    this.deployed = {
      models: props.models,
      endpoints,
      metrics: this.settings.metrics,
      systemLogLevel: this.settings.systemLogLevel,
      tracing: this.settings.tracing,
      alarms: hasAlarms ? countAlarmMetrics(props.models.length) : 0,
      queues: jobs?.priced,
    };
    this.concurrency = jobs?.concurrency;
    if (jobs === undefined) checkReservations(this, props.models, this.settings.concurrency);
    warnOfAccountThrottle(this, this.settings);
    const source = props.settingsFile ?? this.node.path;
    checkIdleCost(this, this.deployed, { maxUsd: this.settings.maxIdleMonthlyUsd, source });
    if (jobs !== undefined) checkGranted(grantsByPath(this.settings), jobs.grantable, source);

    this.functions = this.createFunctions({ ...props, endpoints }, routeModels);
    this.restApi = this.createRestApi(props);
    const { usagePlans, tenants } = this.settings;
    const acceptedHeaders = this.settings.auth.accept;
    this.acceptedHeaders = acceptedHeaders;
    new GatewayResponses(this, 'GatewayResponses', {
      restApi: this.restApi,
      acceptedHeaders,
      hasJobs: jobs !== undefined,
    });
    const authorizer = new CallerAuthorizer(this, 'Authorizer', { acceptedHeaders, ...this.functionOptions });
    this.jobFunctions = jobs === undefined ? [] : this.addJobRoutes(jobs, authorizer);
    const plans = new UsagePlans(this, 'UsagePlans', { restApi: this.restApi, plans: usagePlans, tenants });
    this.keys = plans.keys;
    const hashes = authorizer.function === undefined ? undefined : this.hashKeys();
    this.authorizerFunctions = [authorizer.function, hashes?.function].filter((fn) => fn !== undefined);
    this.setStageVariables({ ...plans.variables, ...hashes?.variables });
    authorizer.deployWith(this.restApi);
    const { restApi, functions } = this;
    this.alarms = hasAlarms ? new ApiAlarms(this, 'Alarms', { restApi, functions }).alarms : [];
    notifyOf(this.alarms, props.alarmTopic);
    // Last, because the number of other resources decides how many paths each model has.
    new ApiRoutes(this, 'Routes', {
      restApi: this.restApi,
      authorizer,
      functions: this.functions,
      routeModels,
    });
    this.orderDeployment();
    checkApiPaths(this.restApi, props.models);
    checkKeyResources(this, this.keys.length);
    checkStackSize(this, this.functions.length);
  }

  /** Address of the deployed stage, with a slash at the end. */
  get url(): string {
    return this.restApi.url;
  }

  /** Requests of any outcome. */
  metricCount(options?: MetricOptions): Metric {
    return this.restApi.metricCount(options);
  }

  /** Invalid or refused requests: status 4xx. */
  metricClientError(options?: MetricOptions): Metric {
    return this.restApi.metricClientError(options);
  }

  /** Requests that failed for reasons of ours: status 5xx. */
  metricServerError(options?: MetricOptions): Metric {
    return this.restApi.metricServerError(options);
  }

  /** Time from request to response as the gateway measures it, in milliseconds. */
  metricLatency(options?: MetricOptions): Metric {
    return this.restApi.metricLatency(options);
  }

  /** Functions behind routes that models share come last, because they know the functions of the other models. */
  private createFunctions(props: InferenceApiProps, routeModels: readonly RouteModels[]): readonly ModelFunction[] {
    const resultsTable = props.resultsTable ?? this.createTableIfRequested(props);
    const functionsPath = `/tensorgate/${Names.uniqueResourceName(this, { maxLength: 128, separator: '-' })}`;
    const hasShared = (model: Model): boolean =>
      routeModels.some(({ first, others }) => others.length > 0 && (model === first || others.includes(model)));
    const create = (model: Model, siblings: readonly ModelFunction[]): ModelFunction => {
      const endpoint = endpointOf(model, props.endpoints);
      const stack = new ModelStack(this, model, 'Function and routes');
      return new ModelFunction(stack, modelConstructId(model), {
        model,
        siblings,
        functionsPath: hasShared(model) ? functionsPath : undefined,
        endpoint,
        stageName: this.settings.stageName,
        ...this.functionOptions,
        metrics: this.settings.metrics,
        metricsNamespace: this.settings.metricsNamespace,
        cacheScope: this.settings.cache.scope,
        resultsTable,
        jobs: props.jobs,
      });
    };
    const firsts = routeModels.map(({ first }) => first);
    const others = props.models.filter((model) => !firsts.includes(model)).map((model) => create(model, []));
    const functions = [
      ...others,
      ...routeModels.map((group) =>
        create(
          group.first,
          others.filter(({ model }) => group.others.includes(model)),
        ),
      ),
    ];
    return props.models.flatMap((model) => functions.filter((fn) => fn.model === model));
  }

  private createEndpoints(models: readonly Model[]): readonly GpuEndpoint[] {
    return models
      .filter(({ manifest }) => manifest.compute.target === 'sagemaker')
      .map((model) => new GpuEndpoint(this, `Gpu-${model.id}`, { model, logRetention: this.settings.logRetention }));
  }

  private createTableIfRequested({ models, removalPolicy }: InferenceApiProps): ITable | undefined {
    if (models.every(({ manifest }) => manifest.cache.store !== 'table')) return undefined;
    return new ResultsTable(this, 'Results', { removalPolicy }).table;
  }

  private hashKeys(): KeyHashes {
    return new KeyHashes(this, 'KeyHashes', { keys: this.keys.map(({ key }) => key), ...this.functionOptions });
  }

  private setStageVariables(variables: Readonly<Record<string, string>>): void {
    const count = Object.keys(variables).length;
    if (count === 0) return;
    if (count > MAX_STAGE_VARIABLES) {
      throw new AppError(
        'CONFIG_INVALID',
        `tenants, plans and the hashes of keys need ${count} stage variables, API Gateway has ${MAX_STAGE_VARIABLES}: ` +
          'use fewer tenants, or auth: { accept: x-api-key }, which needs no hashes',
      );
    }
    const stage = this.restApi.deploymentStage.node.defaultChild as CfnStage;
    stage.variables = { ...variables };
  }

  /**
   * New routes go live after API Gateway may invoke their functions. The role of its logs is set after the functions exist:
   * by then IAM has made it known everywhere, which takes seconds and which API Gateway checks.
   */
  private orderDeployment(): void {
    const permissions = this.node.findAll().filter((construct) => construct instanceof CfnPermission);
    this.restApi.latestDeployment?.node.addDependency(...permissions);
    const account = this.restApi.node.tryFindChild('Account');
    account?.node.addDependency(...this.functions.map(({ alias }) => alias));
  }

  private addJobRoutes(jobs: Jobs, authorizer: CallerAuthorizer): readonly ServiceFunction[] {
    const { restApi } = this;
    const routes = new JobRoutes(this, 'JobRoutes', { ...this.functionOptions, restApi, authorizer, jobs });
    const { consumers, scheduled, workers } = jobs.functions;
    return [...routes.functions.values(), ...consumers.values(), ...scheduled.values(), ...workers.values()];
  }

  /** Settings that all functions share. */
  private get functionOptions(): Required<ServiceFunctionOptions> {
    const { logRetention, tracing, systemLogLevel } = this.settings;
    return { logRetention, tracing, systemLogLevel };
  }

  private createRestApi({ cloudWatchRole = true, jobs }: InferenceApiProps): RestApi {
    const { settings } = this;
    const accessLogs = new LogGroup(this, 'AccessLogs', {
      retention: settings.logRetention,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const restApi = new RestApi(this, 'RestApi', {
      restApiName: Stack.of(this).stackName,
      endpointTypes: [EndpointType.REGIONAL],
      apiKeySourceType: needsAuthorizer(settings.auth.accept) ? ApiKeySourceType.AUTHORIZER : undefined,
      cloudWatchRole,
      binaryMediaTypes: [...BINARY_MEDIA_TYPES, ...(jobs === undefined ? [] : [FORM_MEDIA_TYPE])],
      minCompressionSize: Size.bytes(settings.minimumCompressionBytes),
      deployOptions: {
        stageName: settings.stageName,
        accessLogDestination: new LogGroupLogDestination(accessLogs),
        accessLogFormat: AccessLogFormat.custom(JSON.stringify(ACCESS_LOG_FIELDS)),
        // API Gateway would create the log group of its execution log itself, which no stack could limit or delete.
        loggingLevel: MethodLoggingLevel.OFF,
        dataTraceEnabled: false,
        throttlingRateLimit: settings.throttle.rateLimit,
        throttlingBurstLimit: settings.throttle.burstLimit,
        tracingEnabled: settings.tracing,
        methodOptions: openMethodOptions(),
      },
    });
    acknowledgeFindings(restApi);
    return restApi;
  }
}

/** Throttle of each method without a key, because every client on the internet may call it. */
const OPEN_THROTTLE = { throttlingRateLimit: 10, throttlingBurstLimit: 20 } as const;

/** Settings of the methods that need no key. They replace those of the stage, of which only throttles differ. */
function openMethodOptions(): Record<string, MethodDeploymentOptions> {
  const methods = [
    ...SHARED_ROUTES.filter(({ access }) => access === 'open').flatMap(({ path, method }) => [
      `${path}/${method}`,
      `${path}/ANY`,
    ]),
    ...UNKNOWN_PATHS.map((path) => `${path}/ANY`),
  ];
  const settings = { ...OPEN_THROTTLE, loggingLevel: MethodLoggingLevel.OFF, dataTraceEnabled: false };
  return Object.fromEntries(methods.map((method) => [method, settings]));
}

function grantsByPath({ usagePlans }: ResolvedApiSettings) {
  return Object.fromEntries(Object.entries(usagePlans).map(([name, plan]) => [`usagePlans.${name}`, plan]));
}

/** Findings of the AWS Solutions rules, each with the reason to accept it. */
function acknowledgeFindings(restApi: RestApi): void {
  Validations.of(restApi).acknowledge(
    {
      id: 'AwsSolutions-APIG4',
      reason: 'Callers are known by API keys, which usage plans meter; health and only health needs none.',
    },
    { id: 'AwsSolutions-COG4', reason: 'Callers are programs with API keys, not people who sign in.' },
    { id: 'AwsSolutions-APIG3', reason: 'A web ACL costs money while idle; attach one to restApi if you need it.' },
    {
      id: 'AwsSolutions-APIG6',
      reason:
        'The access log names the reason for every error. API Gateway creates the log group of execution logs outside of the stack: it would have no retention and outlive the stack.',
    },
    {
      id: 'AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs]',
      reason: 'The account-wide role of API Gateway: AWS documents that it requires this managed policy.',
    },
  );
}
