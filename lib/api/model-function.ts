import { Duration, Stack } from 'aws-cdk-lib';
import type { Metric } from 'aws-cdk-lib/aws-cloudwatch';
import type { ITable } from 'aws-cdk-lib/aws-dynamodb';
import { Grant, type IGrantable, type IPrincipal, type IRole } from 'aws-cdk-lib/aws-iam';
import {
  type Alias,
  Code,
  Function as Fn,
  type IFunction,
  LoggingFormat,
  Runtime,
  Tracing,
} from 'aws-cdk-lib/aws-lambda';
import type { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { StringParameter } from 'aws-cdk-lib/aws-ssm';
import type { Construct } from 'constructs';
import { modelFunctionParameter } from '../../core/functions/deployed-names.ts';
import { SERVE_MODEL } from '../../core/functions/functions.ts';
import type { MetricsLevel } from '../../core/functions/metrics-level.ts';
import { renderPackagedSettings, type SettingsOf } from '../../core/functions/settings.ts';
import type { SystemLogLevel } from '../../core/functions/system-log-level.ts';
import type { Compute } from '../../core/models/manifest.ts';
import type { CacheScope } from '../../core/results/cache-scope.ts';
import { checkResultsTable, grantCachedResults, grantClaims } from '../data/results-table.ts';
import { endpointFor, type GpuEndpoint } from '../endpoints/gpu-endpoint.ts';
import { createLiveAlias, VERSION_OPTIONS } from '../functions/live-alias.ts';
import { modelEnvironment } from '../functions/model-environment.ts';
import { ARCHITECTURES, createLogGroup, createRole, systemLogLevel } from '../functions/service-function.ts';
import type { Jobs } from '../jobs/jobs.ts';
import { catalogueMetric, type MeasuredStage, type ModelMetricName } from '../monitoring/catalogue-metric.ts';
import { type ModelMetricOptions, ModelMetrics } from '../monitoring/model-metrics.ts';
import { composeFunctionPackage, type PackageSizes } from '../packaging/function-package.ts';
import type { Model } from '../packaging/model.ts';
import { aliasesOf } from '../packaging/model-aliases.ts';
import { functionBundle } from '../packaging/package-layout.ts';
import { grantByModel } from '../security/grant-by-model.ts';
import { explainWildcard } from '../security/wildcard-reason.ts';

/** Settings of a {@link ModelFunction}. */
export interface ModelFunctionProps {
  /** The model to serve; its manifest sets memory, architecture, time and concurrency. */
  readonly model: Model;
  /**
   * Table that caches results for later requests: that of a {@link ResultsTable}, or your own with the same keys.
   *
   * @default - results are cached in the function's memory only, even if the manifest says `cache: { store: table }`
   */
  readonly resultsTable?: ITable;
  /**
   * Where the model runs whose manifest says `target: sagemaker`.
   *
   * @default - none, which is an error for such a model
   */
  readonly endpoint?: GpuEndpoint;
  /**
   * The `Jobs` that asynchronous requests are submitted to.
   *
   * @default - nowhere: the preference `respond-async` is ignored
   */
  readonly jobs?: Jobs;
  /**
   * Functions of the other models of the task, to which requests are forwarded that name them.
   *
   * @default - none: a request that names another model fails with MODEL_NOT_FOUND
   */
  readonly siblings?: readonly ModelFunction[];
  /**
   * Path of the parameters by which functions find one another: that of this function is below it.
   *
   * @default - none: no function forwards requests to this one, or it to others
   */
  readonly functionsPath?: string;
  /**
   * Callers who share cached results: those of a tenant, of a usage plan, or all.
   *
   * @default 'tenant'
   */
  readonly cacheScope?: CacheScope;
  /**
   * Name of the stage, a dimension of the metrics.
   *
   * @default 'prod'
   */
  readonly stageName?: string;
  /**
   * How much the functions measure: `off` records no CloudWatch metrics, `basic` one set for each model, `detailed` also
   * one for each version and error code.
   *
   * @default 'basic'
   */
  readonly metrics?: MetricsLevel;
  /**
   * Namespace of the CloudWatch metrics. Two deployments with the same stage name in one account and region need
   * different ones.
   *
   * @default 'Tensorgate'
   */
  readonly metricsNamespace?: string;
  /**
   * How long logs are kept.
   *
   * @default RetentionDays.ONE_MONTH
   */
  readonly logRetention?: RetentionDays;
  /**
   * Whether requests are traced by AWS X-Ray.
   *
   * @default false
   */
  readonly tracing?: boolean;
  /**
   * Which lines AWS Lambda itself writes about invocations: with `INFO` two for each, with `WARN` those of failures only.
   *
   * @default 'INFO'
   */
  readonly systemLogLevel?: SystemLogLevel;
}

/**
 * One model behind the alias `live` of an AWS Lambda function of its own.
 *
 * Earlier versions of the function stay, so that the alias can be pointed back at one of them.
 *
 * @example
 * const fn = new ModelFunction(stack, 'Embed', { model: Model.fromDirectory('models/minilm') });
 * fn.grantInvoke(new Role(stack, 'Caller', { assumedBy: new ServicePrincipal('states.amazonaws.com') }));
 * fn.metricErrors().createAlarm(stack, 'Failures', { threshold: 10, evaluationPeriods: 1 });
 */
export class ModelFunction extends ModelMetrics implements IGrantable {
  /** The function. Callers invoke its alias instead, which has the provisioned concurrency. */
  readonly fn: IFunction;
  /** The alias that callers invoke. It has metrics of AWS Lambda: `alias.metricThrottles()`. */
  readonly alias: Alias;
  /** Permissions of the function. */
  readonly role: IRole;
  /** The served model. */
  readonly model: Model;
  /** Bytes of the function's package by part. */
  readonly packageSizes: PackageSizes;
  readonly #measured: MeasuredStage;

  constructor(scope: Construct, id: string, props: ModelFunctionProps) {
    super(scope, id);
    const { model, siblings = [], stageName: stage = 'prod' } = props;
    const { metrics = 'basic', metricsNamespace = 'Tensorgate' } = props;
    const { compute, cache } = model.manifest;
    const resultsTable = cache.store === 'table' ? props.resultsTable : undefined;
    if (resultsTable !== undefined) checkResultsTable(resultsTable);
    const endpoint = endpointFor(model, props.endpoint);
    const settings = {
      resultsTable: resultsTable?.tableName,
      cacheScope: props.cacheScope,
      endpoint: endpoint?.endpointName,
      ...settingsOfSiblings(siblings, props.functionsPath),
      stage,
      metricsNamespace,
      metrics,
    } satisfies SettingsOf<typeof SERVE_MODEL.settings>;
    const packaged = renderPackagedSettings(settings);
    const functionPackage = composeFunctionPackage(model, functionBundle('serve-model'), packaged);

    const logGroup = createLogGroup(this, props.logRetention);
    const role = createRole(this, logGroup, props.tracing ?? false);
    const fn = new Fn(this, 'Function', {
      description: `${SERVE_MODEL.description} ${model.id}`,
      code: Code.fromAsset(functionPackage.directory, { assetHash: functionPackage.hash }),
      handler: 'index.handler',
      runtime: Runtime.NODEJS_24_X,
      architecture: ARCHITECTURES[compute.architecture],
      memorySize: compute.memoryMiB,
      timeout: Duration.seconds(compute.timeoutSeconds),
      ...(compute.reservedConcurrency === undefined
        ? {}
        : { reservedConcurrentExecutions: compute.reservedConcurrency }),
      role,
      logGroup,
      loggingFormat: LoggingFormat.JSON,
      systemLogLevelV2: systemLogLevel(props.systemLogLevel),
      tracing: (props.tracing ?? false) ? Tracing.ACTIVE : Tracing.DISABLED,
      environment: {
        ...modelEnvironment(settings),
        ...props.jobs?.submitterEnvironment(model),
      },
      currentVersionOptions: VERSION_OPTIONS,
    });

    this.fn = fn;
    this.role = role;
    this.model = model;
    this.#measured = { stageName: stage, metrics, metricsNamespace };
    this.packageSizes = functionPackage.sizes;
    this.alias = this.createAlias(fn, compute);
    if (resultsTable !== undefined) grantCachedResults(resultsTable, role);
    if (endpoint?.isAsync === false) {
      endpoint.grantInvoke(role);
      if (resultsTable !== undefined) grantClaims(resultsTable, role);
    }
    props.jobs?.grantSubmit(role, model);
    if (siblings.length > 0 && props.functionsPath !== undefined)
      this.#grantForward(role, siblings, props.functionsPath);
    if (props.functionsPath !== undefined) this.#publishArn(props.functionsPath);
  }

  /** The principal of the function, so that `bucket.grantRead(modelFunction)` gives it a permission. */
  get grantPrincipal(): IPrincipal {
    return this.role.grantPrincipal;
  }

  /** Grants `grantee` permission to invoke the alias, and no other version. */
  grantInvoke(grantee: IGrantable): Grant {
    return Grant.addToPrincipal({
      grantee,
      actions: ['lambda:InvokeFunction'],
      resourceArns: [this.alias.functionArn],
    });
  }

  /**
   * A metric that the function itself records, by its name in docs/observability.md.
   *
   * @param name - `Latency`, `Errors`, `ColdStart`, …
   * @throws AppError `CONFIG_INVALID` when the deployment does not record it, or not for single versions.
   */
  override metric(name: ModelMetricName, { version, ...options }: ModelMetricOptions = {}): Metric {
    return catalogueMetric(name, this.#measured, { model: this.model.id, version }, options);
  }

  /** The function looks up the ARNs of the others by itself, because its environment has no room for many. */
  #grantForward(role: IRole, siblings: readonly ModelFunction[], functionsPath: string): void {
    const resources = siblings.map(({ model, alias }) => [model.id, [alias.functionArn]] as const);
    grantByModel(role, 'lambda:InvokeFunction', new Map(resources));
    const arn = Stack.of(this).formatArn({
      service: 'ssm',
      resource: 'parameter',
      resourceName: functionsPath.slice(1),
    });
    explainWildcard(role, { arn, suffix: '/*', reason: 'Every parameter below the path is the ARN of a function.' });
    Grant.addToPrincipal({ grantee: role, actions: ['ssm:GetParameter'], resourceArns: [`${arn}/*`] });
  }

  #publishArn(functionsPath: string): void {
    new StringParameter(this, 'Arn', {
      parameterName: modelFunctionParameter(functionsPath, this.model.id),
      stringValue: this.alias.functionArn,
      simpleName: false,
    });
  }

  private createAlias(fn: Fn, { provisioned }: Compute): Alias {
    const alias = createLiveAlias(this, fn, { provisionedConcurrentExecutions: provisioned?.min });
    if (provisioned !== undefined) {
      alias
        .addAutoScaling({ minCapacity: provisioned.min, maxCapacity: provisioned.max })
        .scaleOnUtilization({ utilizationTarget: provisioned.utilization });
    }
    return alias;
  }
}

/** @returns Nothing if there are no siblings; no aliases if the siblings have none. */
function settingsOfSiblings(siblings: readonly ModelFunction[], functionsPath: string | undefined) {
  if (siblings.length === 0) return {};
  const aliases = aliasesOf(siblings.map(({ model }) => model));
  return {
    functionsPath,
    siblings: siblings.map(({ model }) => model.id),
    modelAliases: Object.keys(aliases).length === 0 ? undefined : aliases,
  };
}
