import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';
import type { ITable } from 'aws-cdk-lib/aws-dynamodb';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import type { DeployConfig } from '../../core/config/deploy-config.ts';
import { InferenceApi } from '../api/inference-api.ts';
import type { PlanKey } from '../api/usage-plans.ts';
import type { GpuEndpoint } from '../endpoints/gpu-endpoint.ts';
import type { Jobs } from '../jobs/jobs.ts';
import { checkKeyOutputs } from '../limits/key-limits.ts';
import type { Model } from '../packaging/model.ts';
import { apiSettingsOf } from './construct-settings.ts';
import { readOutputs } from './stack-references.ts';

/** Settings of an {@link ApiStack}. */
export interface ApiStackProps extends StackProps {
  /** The deployment's configuration. */
  readonly config: DeployConfig;
  /**
   * File that the configuration was read from, for messages about it.
   *
   * @default - messages name the construct
   */
  readonly configFile?: string;
  /** Name of the API's stage. */
  readonly stageName: string;
  /** Models to serve. */
  readonly models: readonly Model[];
  /** Results of earlier requests. */
  readonly resultsTable: ITable;
  /**
   * Where models run whose manifests say `target: sagemaker`.
   *
   * @default - none
   */
  readonly endpoints?: readonly GpuEndpoint[];
  /**
   * Jobs, as the stack of them made them.
   *
   * @default - none
   */
  readonly jobs?: Jobs;
  /**
   * Topic of the alarms, as the stack of data made it.
   *
   * @default - none: the alarms have no actions
   */
  readonly alarmTopic?: ITopic;
}

/**
 * The API and its functions. You can delete and redeploy this stack at any time.
 *
 * @example
 * const config = readDeployConfig('prod');
 * const { results: resultsTable } = new DataStack(app, 'Data', { config });
 * const { api } = new ApiStack(app, 'Api', { config, stageName: 'prod', models, resultsTable });
 * console.error(renderSynthReport(api));
 */
export class ApiStack extends Stack {
  /** The API. */
  readonly api: InferenceApi;

  constructor(scope: Construct, id: string, props: ApiStackProps) {
    super(scope, id, props);
    readOutputs(this);
    for (const endpoint of props.endpoints ?? [])
      this.addStackDependency(Stack.of(endpoint), 'functions ask its endpoints');
    this.api = new InferenceApi(this, 'Api', {
      ...apiSettingsOf(this, props.config),
      alarmTopic: props.alarmTopic,
      stageName: props.stageName,
      models: props.models,
      resultsTable: props.resultsTable,
      jobs: props.jobs,
      endpoints: props.endpoints,
      settingsFile: props.configFile,
    });
    new CfnOutput(this, 'ApiUrl', { value: this.api.url, description: 'Address of the API' });
    this.addFunctionOutputs();
    checkKeyOutputs(this, this.api.keys.map(keyOutputId));
    for (const key of this.api.keys) this.addKeyOutput(key);
  }

  /** Operators find the function of a model by the description. */
  private addFunctionOutputs(): void {
    const functions = new Construct(this, 'Functions');
    for (const { model, alias } of this.api.functions) {
      const description = `function of ${model.id}`;
      new CfnOutput(functions, model.id, { value: alias.lambda.functionName, description });
    }
    const services = [...this.api.authorizerFunctions, ...this.api.jobFunctions];
    for (const { node, fn } of services.filter((service) => Stack.of(service) === this)) {
      new CfnOutput(functions, node.id, { value: fn.functionName, description: node.id });
    }
  }

  /** The key's value is a secret, so the output is the command that fetches it. */
  private addKeyOutput(planKey: PlanKey): void {
    const { plan, tenant, name, key } = planKey;
    const owner = tenant === undefined ? `plan ${plan}` : `tenant ${tenant}`;
    new CfnOutput(this, keyOutputId(planKey), {
      value: `aws apigateway get-api-key --include-value --query value --output text --api-key ${key.keyId}`,
      description: `Prints the key ${name} of the ${owner}`,
    });
  }
}

function keyOutputId({ plan, tenant, name }: PlanKey): string {
  return tenant === undefined ? `Key-${plan}-${name}` : `TenantKey-${tenant}-${name}`;
}
