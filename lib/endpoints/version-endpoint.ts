import { join } from 'node:path';
import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { Alarm, ComparisonOperator, Metric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { PolicyStatement, type Role } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Asset } from 'aws-cdk-lib/aws-s3-assets';
import { CfnEndpoint, CfnEndpointConfig, CfnModel } from 'aws-cdk-lib/aws-sagemaker';
import { Construct } from 'constructs';
import { instanceBounds, type SageMakerCompute } from '../../core/models/manifest.ts';
import { deployedVersions } from '../../core/models/packed-model.ts';
import { containerEnvironment } from '../../core/sagemaker/container-environment.ts';
import { variantName } from '../../core/sagemaker/endpoint-contract.ts';
import { endpointPackageHash } from '../packaging/endpoint-package.ts';
import type { Model } from '../packaging/model.ts';
import { EndpointScaling } from './endpoint-scaling.ts';

/** Failed requests in a minute that roll an update back. */
const ROLLBACK_FAILURES = 5;

/**
 * How an update replaces instances. Old instances stay until the new ones have served requests for some time. If the
 * new ones fail, the update rolls back. With two or more instances, a part of the traffic moves first.
 */
const UPDATE = {
  canaryPercent: 50,
  linearPercent: 25,
  bakeSeconds: 300,
  terminationSeconds: 300,
  longestSeconds: 3600,
};

/** Settings of a {@link VersionEndpoint}. */
export interface VersionEndpointProps {
  readonly model: Model;
  readonly compute: SageMakerCompute;
  readonly version: string;
  readonly endpointName: string;
  /** Image of the containers. */
  readonly imageUri: string;
  /** Role of the containers. */
  readonly role: Role;
  /** Gets copies of requests. */
  readonly shadow: { readonly version: string; readonly percent: number } | undefined;
  readonly asyncConfig: CfnEndpointConfig.AsyncInferenceConfigProperty | undefined;
  readonly encryptionKey: IKey | undefined;
  readonly logRetention: RetentionDays | undefined;
}

/** An endpoint that runs one version of a model as its production variant, and perhaps another in its shadow. */
export class VersionEndpoint extends Construct {
  readonly endpoint: CfnEndpoint;
  /** Number of alarms of the endpoint, including those for scaling. */
  readonly alarms: number;
  readonly #props: VersionEndpointProps;

  constructor(scope: Construct, id: string, props: VersionEndpointProps) {
    super(scope, id);
    this.#props = props;
    const { version, endpointName, compute, role, shadow, asyncConfig, encryptionKey } = props;
    const logGroup = new LogGroup(this, 'Logs', {
      logGroupName: `/aws/sagemaker/Endpoints/${endpointName}`,
      retention: props.logRetention ?? RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    logGroup.grantWrite(role);
    const config = new CfnEndpointConfig(this, 'Config', {
      productionVariants: [this.#createVariant(version, 1)],
      ...(shadow === undefined
        ? {}
        : { shadowProductionVariants: [this.#createVariant(shadow.version, shadow.percent / 100)] }),
      kmsKeyId: encryptionKey?.keyArn,
      asyncInferenceConfig: asyncConfig,
    });
    const rollback = this.#createRollbackAlarm();
    this.endpoint = new CfnEndpoint(this, 'Endpoint', {
      endpointName,
      endpointConfigName: config.attrEndpointConfigName,
      // An update keeps the instance counts that operators or scaling have set since.
      retainAllVariantProperties: true,
      excludeRetainedVariantProperties: [
        { variantPropertyType: 'DataCaptureConfig' },
        // The manifest sets the share of requests that a shadow gets.
        ...(shadow === undefined ? [] : [{ variantPropertyType: 'DesiredWeight' }]),
      ],
      deploymentConfig: {
        blueGreenUpdatePolicy: {
          trafficRoutingConfiguration: routing(compute),
          terminationWaitInSeconds: UPDATE.terminationSeconds,
          maximumExecutionTimeoutInSeconds: UPDATE.longestSeconds,
        },
        autoRollbackConfiguration: { alarms: [{ alarmName: rollback.alarmName }] },
      },
    });
    this.endpoint.node.addDependency(role, logGroup);
    const { endpoint } = this;
    const scaling = new EndpointScaling(this, 'Scaling', { endpoint, endpointName, version, compute });
    this.alarms = scaling.alarms + 1;
  }

  #createVariant(version: string, weight: number): CfnEndpointConfig.ProductionVariantProperty {
    const { model, compute, imageUri, role } = this.#props;
    const packed = deployedVersions(model.packed)[version];
    const asset = new Asset(this, `Package${version}`, {
      path: join(model.packedDirectory, packed?.file ?? ''),
      assetHash: endpointPackageHash(model, version),
    });
    role.addToPolicy(
      new PolicyStatement({ actions: ['s3:GetObject'], resources: [asset.bucket.arnForObjects(asset.s3ObjectKey)] }),
    );
    const created = new CfnModel(this, `Model${version}`, {
      executionRoleArn: role.roleArn,
      enableNetworkIsolation: true,
      primaryContainer: {
        image: imageUri,
        modelDataUrl: asset.s3ObjectUrl,
        environment: containerEnvironment(model.manifest),
      },
    });
    created.node.addDependency(role);
    return {
      modelName: created.attrModelName,
      variantName: variantName(version),
      // A shadow gets copies of requests in the ratio of its weight to the other variant's weight.
      initialVariantWeight: weight,
      // An endpoint cannot be created without instances. Scaling removes idle ones.
      initialInstanceCount: Math.max(1, instanceBounds(compute).min),
      instanceType: compute.instanceType,
    };
  }

  #createRollbackAlarm(): Alarm {
    const { endpointName } = this.#props;
    return new Alarm(this, 'Failures', {
      alarmName: `${endpointName}-failures`,
      alarmDescription: `Requests that containers of ${endpointName} failed to serve; rolls an update back`,
      metric: this.#metricFailures(),
      threshold: ROLLBACK_FAILURES,
      evaluationPeriods: 2,
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData: TreatMissingData.NOT_BREACHING,
    });
  }

  #metricFailures(): Metric {
    const { compute, endpointName, version } = this.#props;
    return new Metric({
      namespace: 'AWS/SageMaker',
      ...(compute.mode === 'async'
        ? { metricName: 'InvocationFailures', dimensionsMap: { EndpointName: endpointName } }
        : {
            metricName: 'Invocation5XXErrors',
            dimensionsMap: { EndpointName: endpointName, VariantName: variantName(version) },
          }),
      statistic: 'Sum',
      period: Duration.minutes(1),
    });
  }
}

/** A canary must be half of the instances at most: a single one can't be divided. */
function routing(compute: SageMakerCompute): CfnEndpoint.TrafficRoutingConfigProperty {
  if (instanceBounds(compute).min < 2) return { type: 'ALL_AT_ONCE', waitIntervalInSeconds: UPDATE.bakeSeconds };
  if (compute.shift === 'linear') {
    return {
      type: 'LINEAR',
      linearStepSize: { type: 'CAPACITY_PERCENT', value: UPDATE.linearPercent },
      waitIntervalInSeconds: UPDATE.bakeSeconds,
    };
  }
  return {
    type: 'CANARY',
    canarySize: { type: 'CAPACITY_PERCENT', value: UPDATE.canaryPercent },
    waitIntervalInSeconds: UPDATE.bakeSeconds,
  };
}
