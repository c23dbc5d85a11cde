import { Duration, RemovalPolicy, Validations } from 'aws-cdk-lib';
import { type IGrantable, type IPrincipal, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import {
  Architecture,
  Code,
  Function as Fn,
  SystemLogLevel as LambdaSystemLogLevel,
  LoggingFormat,
  Runtime,
  Tracing,
} from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import type { SystemLogLevel } from '../../core/functions/system-log-level.ts';
import type { LambdaCompute } from '../../core/models/manifest.ts';
import { checkEnvironmentSize } from '../limits/environment-size.ts';
import type { FunctionPackage, PackageSizes } from '../packaging/function-package.ts';
import { VERSION_OPTIONS } from './live-alias.ts';

/** Settings that the functions of a deployment share. */
export interface ServiceFunctionOptions {
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

/** Settings of a {@link ServiceFunction}. */
export interface ServiceFunctionProps extends ServiceFunctionOptions {
  /** Description of the function, one sentence. */
  readonly description: string;
  /** The function's files. */
  readonly package: FunctionPackage;
  /** Longest time of one invocation. */
  readonly timeoutSeconds: number;
  /** Environment variables. */
  readonly environment: Readonly<Record<string, string>>;
  /**
   * Memory, which decides the share of a processor too.
   *
   * @default 512
   */
  readonly memoryMiB?: number;
  /**
   * Processor; a function without native code runs on either, and arm64 costs a fifth less.
   *
   * @default 'arm64'
   */
  readonly architecture?: LambdaCompute['architecture'];
}

/** An architecture in the words of the AWS CDK. */
export const ARCHITECTURES = { x86_64: Architecture.X86_64, arm64: Architecture.ARM_64 } as const satisfies Record<
  LambdaCompute['architecture'],
  Architecture
>;

/** Processor of functions without native code. */
export const SERVICE_ARCHITECTURE = 'arm64' as const satisfies LambdaCompute['architecture'];

/** An AWS Lambda function. Its role may write to its own log group, and has the permissions that its creator grants. */
export class ServiceFunction extends Construct implements IGrantable {
  /** The function. */
  readonly fn: Fn;
  /** Permissions of the function. */
  readonly role: Role;
  /**
   * Memory in MiB.
   *
   * @internal
   */
  readonly memoryMiB: number;
  /**
   * Processor.
   *
   * @internal
   */
  readonly architecture: LambdaCompute['architecture'];
  /** Bytes of the function's package by part. */
  readonly packageSizes: PackageSizes;

  /** @internal */
  constructor(scope: Construct, id: string, props: ServiceFunctionProps) {
    super(scope, id);
    checkEnvironmentSize(this, props.environment);
    this.memoryMiB = props.memoryMiB ?? 512;
    this.architecture = props.architecture ?? SERVICE_ARCHITECTURE;
    this.packageSizes = props.package.sizes;
    const tracing = props.tracing ?? false;
    const logGroup = createLogGroup(this, props.logRetention);
    this.role = createRole(this, logGroup, tracing);
    this.fn = new Fn(this, 'Function', {
      description: props.description,
      code: Code.fromAsset(props.package.directory, { assetHash: props.package.hash }),
      handler: 'index.handler',
      runtime: Runtime.NODEJS_24_X,
      architecture: ARCHITECTURES[this.architecture],
      memorySize: this.memoryMiB,
      timeout: Duration.seconds(props.timeoutSeconds),
      role: this.role,
      logGroup,
      loggingFormat: LoggingFormat.JSON,
      systemLogLevelV2: systemLogLevel(props.systemLogLevel),
      tracing: tracing ? Tracing.ACTIVE : Tracing.DISABLED,
      environment: { ...props.environment },
      currentVersionOptions: VERSION_OPTIONS,
    });
  }

  /** The principal of the function. */
  get grantPrincipal(): IPrincipal {
    return this.role.grantPrincipal;
  }
}

/** Converts a level to the enum of the AWS CDK. Returns undefined for the default of AWS Lambda. */
export function systemLogLevel(level: SystemLogLevel = 'INFO'): LambdaSystemLogLevel | undefined {
  return level === 'WARN' ? LambdaSystemLogLevel.WARN : undefined;
}

/** Creates the log group of a function, which is deleted with its stack. */
export function createLogGroup(scope: Construct, retention: RetentionDays = RetentionDays.ONE_MONTH): LogGroup {
  return new LogGroup(scope, 'Logs', { retention, removalPolicy: RemovalPolicy.DESTROY });
}

/** Creates the role of a function, which may only write to its log group and, if `tracing` is on, to AWS X-Ray. */
export function createRole(scope: Construct, logGroup: LogGroup, tracing: boolean): Role {
  const role = new Role(scope, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
  logGroup.grantWrite(role);
  if (tracing) {
    Validations.of(role).acknowledge({
      id: 'AwsSolutions-IAM5[Resource::*]',
      reason: 'X-Ray has no resources: xray:PutTraceSegments and xray:PutTelemetryRecords can be granted on * only.',
    });
  }
  return role;
}
