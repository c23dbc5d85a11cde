import { Annotations, CfnOutput, Stack, type StackProps, Token } from 'aws-cdk-lib';
import type { ITable } from 'aws-cdk-lib/aws-dynamodb';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import { type ITopic, Topic } from 'aws-cdk-lib/aws-sns';
import type { Construct } from 'constructs';
import type { DeployConfig } from '../../core/config/deploy-config.ts';
import { AppError } from '../../core/errors.ts';
import { JobsTable } from '../data/jobs-table.ts';
import { PayloadBucket } from '../data/payload-bucket.ts';
import { ResultsTable } from '../data/results-table.ts';
import { WebhooksTable } from '../data/webhooks-table.ts';
import { AlarmTopic } from '../monitoring/alarm-topic.ts';
import { payloadRetentionOf, removalPolicyOf } from './construct-settings.ts';
import { keepExports, readOutputs } from './stack-references.ts';

/** Settings of a {@link DataStack}. */
export interface DataStackProps extends StackProps {
  /** The deployment's configuration. */
  readonly config: DeployConfig;
  /**
   * File that the configuration was read from, for messages about it.
   *
   * @default - messages name the construct
   */
  readonly configFile?: string;
}

/** Stored data of jobs. */
export interface JobData {
  /** Records of jobs, files and batches. */
  readonly jobsTable: ITable;
  /** Secrets of webhooks and the log of deliveries. */
  readonly webhooksTable: ITable;
  /** Large inputs and results, and files. */
  readonly payloadBucket: IBucket;
}

/**
 * Data that outlives a deployment: cached results, and the stored data of jobs.
 *
 * @example
 * const config = readDeployConfig('prod');
 * const { results: resultsTable, jobData } = new DataStack(app, 'Data', { config });
 * const { jobs } = new JobsStack(app, 'Jobs', { config, stageName: 'prod', models, resultsTable, jobData });
 * new ApiStack(app, 'Api', { config, stageName: 'prod', models, resultsTable, jobs });
 */
export class DataStack extends Stack {
  /** Results of earlier requests. */
  readonly results: ITable;
  /** Stored data of jobs; undefined if the configuration has no jobs. */
  readonly jobData: JobData | undefined;
  /** Topic that alarms notify; undefined if the configuration names no recipient. */
  readonly alarmTopic: ITopic | undefined;

  constructor(scope: Construct, id: string, props: DataStackProps) {
    super(scope, id, props);
    readOutputs(this);
    const { jobs, deletionProtection } = props.config;
    const removalPolicy = removalPolicyOf(props.config);
    this.results = new ResultsTable(this, 'Results', { removalPolicy }).table;
    this.jobData = jobs.enabled
      ? {
          jobsTable: new JobsTable(this, 'Jobs', { removalPolicy, deletionProtection }).table,
          webhooksTable: new WebhooksTable(this, 'Webhooks', { removalPolicy, deletionProtection }).table,
          payloadBucket: new PayloadBucket(this, 'Payloads', { ...payloadRetentionOf(props.config), removalPolicy })
            .bucket,
        }
      : undefined;
    this.#keepExports();
    this.alarmTopic = this.#createAlarmTopic(props);
    this.#addOutput('ResultsTable', 'results', this.results.tableName);
    if (this.jobData === undefined) return;
    this.#addOutput('JobsTable', 'jobs', this.jobData.jobsTable.tableName);
    this.#addOutput('WebhooksTable', 'webhooks', this.jobData.webhooksTable.tableName);
    this.#addOutput('PayloadBucket', 'payloads', this.jobData.payloadBucket.bucketName);
  }

  #keepExports(): void {
    const { jobsTable, webhooksTable, payloadBucket } = this.jobData ?? {};
    for (const table of [this.results, jobsTable, webhooksTable]) {
      if (table !== undefined) keepExports(this, [table.tableArn, table.tableName]);
    }
    if (payloadBucket !== undefined) keepExports(this, [payloadBucket.bucketArn, payloadBucket.bucketName]);
  }

  /** The topic is here because its e-mail subscription is confirmed once, and the other stacks can be deleted at any time. */
  #createAlarmTopic({ config: { alarms }, configFile = this.node.path }: DataStackProps): ITopic | undefined {
    if (alarms?.enabled !== true) return undefined;
    const { email, topicArn } = alarms;
    if (email !== undefined) return new AlarmTopic(this, 'Alarms', { email }).topic;
    if (topicArn !== undefined) {
      this.#checkRegion(topicArn, configFile);
      return Topic.fromTopicArn(this, 'AlarmTopic', topicArn);
    }
    Annotations.of(this).addWarningV2(
      'Tensorgate:AlarmsWithoutRecipient',
      `${configFile}: alarms have no recipient: set alarms.email or alarms.topicArn`,
    );
    return undefined;
  }

  /** CloudWatch notifies topics of its own region only. */
  #checkRegion(topicArn: string, configFile: string): void {
    const region = topicArn.split(':')[3];
    if (Token.isUnresolved(this.region) || region === this.region) return;
    throw new AppError(
      'CONFIG_INVALID',
      `${configFile}: alarms.topicArn must be in the region of the deployment, ${this.region}, got ${topicArn}`,
      { param: 'alarms.topicArn' },
    );
  }

  /** Programs find a table or bucket by the description, which is its short name. */
  #addOutput(id: string, name: string, value: string): void {
    new CfnOutput(this, id, { value, description: name });
  }
}
