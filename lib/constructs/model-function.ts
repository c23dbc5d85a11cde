import { Duration, RemovalPolicy, Validations } from 'aws-cdk-lib';
import type { Metric, MetricOptions } from 'aws-cdk-lib/aws-cloudwatch';
import { Grant, type IGrantable, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Alias, Architecture, Code, Function as Fn, LoggingFormat, Runtime, Tracing } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import type { LambdaCompute } from '../../core/manifest.ts';
import { renderServeModelEnvironment } from '../../core/serve-model-environment.ts';
import { composeFunctionPackage, type PackageSizes } from '../function-package.ts';
import type { Model } from '../model.ts';
import type { ResultsTable } from './results-table.ts';

/** Namespace of the metrics that functions write. */
export const METRICS_NAMESPACE = 'Tensorgate';

/** Name of the alias that callers invoke. */
export const LIVE_ALIAS = 'live';

/** Settings of a {@link ModelFunction}. */
export interface ModelFunctionProps {
  /** The model to serve; its manifest sets memory, architecture, time and concurrency. */
  readonly model: Model;
  /**
   * Where results are kept for later requests.
   *
   * @default - results are kept in the function's memory only, even when the manifest asks for the table
   */
  readonly resultsTable?: ResultsTable;
  /**
   * Functions of other embedding models, to which requests are handed that name them.
   *
   * @default - none: a request that names another model is answered MODEL_NOT_FOUND
   */
  readonly siblings?: readonly ModelFunction[];
  /**
   * Name of the stage, a dimension of the metrics.
   *
   * @default 'prod'
   */
  readonly stageName?: string;
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
}

const ARCHITECTURES = { x86_64: Architecture.X86_64, arm64: Architecture.ARM_64 } as const satisfies Record<
  LambdaCompute['architecture'],
  Architecture
>;

/**
 * One model behind the alias `live` of an AWS Lambda function of its own.
 *
 * Earlier versions of the function stay, so that the alias can be pointed back at one of them.
 */
export class ModelFunction extends Construct {
  /** What callers invoke. Provisioned concurrency belongs to it. */
  readonly alias: Alias;
  /** The served model. */
  readonly model: Model;
  /** Bytes of the function's package by part. */
  readonly packageSizes: PackageSizes;

  constructor(scope: Construct, id: string, props: ModelFunctionProps) {
    super(scope, id);
    const { model, siblings = [] } = props;
    const { compute, cache } = model.manifest;
    const resultsTable = cache.store === 'table' ? props.resultsTable : undefined;
    const functionPackage = composeFunctionPackage(model);

    const logGroup = new LogGroup(this, 'Logs', {
      retention: props.logRetention ?? RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const role = this.createRole(logGroup, props.tracing ?? false);
    const fn = new Fn(this, 'Function', {
      description: `Serves the model ${model.id}`,
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
      tracing: (props.tracing ?? false) ? Tracing.ACTIVE : Tracing.DISABLED,
      environment: renderServeModelEnvironment({
        ...(resultsTable === undefined ? {} : { resultsTable: resultsTable.table.tableName }),
        siblings: Object.fromEntries(siblings.map((sibling) => [sibling.model.id, sibling.alias.functionArn])),
        metricsNamespace: METRICS_NAMESPACE,
        stage: props.stageName ?? 'prod',
      }),
      currentVersionOptions: { removalPolicy: RemovalPolicy.RETAIN },
    });

    this.model = model;
    this.packageSizes = functionPackage.sizes;
    this.alias = this.createAlias(fn, compute);
    resultsTable?.grantReadWriteBatches(role);
    for (const sibling of siblings) sibling.grantInvoke(role);
  }

  /** Lets `grantee` invoke the alias, and no other version. */
  grantInvoke(grantee: IGrantable): Grant {
    return Grant.addToPrincipal({
      grantee,
      actions: ['lambda:InvokeFunction'],
      resourceArns: [this.alias.functionArn],
    });
  }

  /** Requests that reached the function. */
  metricInvocations(options?: MetricOptions): Metric {
    return this.alias.metricInvocations(options);
  }

  /** Requests that the function failed to answer: crashes and timeouts, not refused input. */
  metricErrors(options?: MetricOptions): Metric {
    return this.alias.metricErrors(options);
  }

  /** Time from event to answer, in milliseconds. */
  metricDuration(options?: MetricOptions): Metric {
    return this.alias.metricDuration(options);
  }

  /** Requests refused because every allowed environment was busy. */
  metricThrottles(options?: MetricOptions): Metric {
    return this.alias.metricThrottles(options);
  }

  private createRole(logGroup: LogGroup, tracing: boolean): Role {
    const role = new Role(this, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
    logGroup.grantWrite(role);
    if (tracing) {
      Validations.of(role).acknowledge({
        id: 'AwsSolutions-IAM5[Resource::*]',
        reason: 'X-Ray has no resources: xray:PutTraceSegments and xray:PutTelemetryRecords can be granted on * only.',
      });
    }
    return role;
  }

  private createAlias(fn: Fn, { provisioned }: LambdaCompute): Alias {
    const alias = new Alias(this, 'Live', {
      aliasName: LIVE_ALIAS,
      version: fn.currentVersion,
      ...(provisioned === undefined ? {} : { provisionedConcurrentExecutions: provisioned.min }),
    });
    if (provisioned !== undefined) {
      alias
        .addAutoScaling({ minCapacity: provisioned.min, maxCapacity: provisioned.max })
        .scaleOnUtilization({ utilizationTarget: provisioned.utilization });
    }
    return alias;
  }
}
