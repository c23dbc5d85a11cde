import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { DeployConfig } from '../../core/config/deploy-config.ts';
import { JobsTable } from '../data/jobs-table.ts';
import { PayloadBucket } from '../data/payload-bucket.ts';
import { ResultsTable } from '../data/results-table.ts';
import { WebhooksTable } from '../data/webhooks-table.ts';
import { keepExports, readOutputs } from './stack-references.ts';

/** Settings of a {@link DataStack}. */
export interface DataStackProps extends StackProps {
  /** The deployment's configuration. */
  readonly config: DeployConfig;
}

/** Stored data of jobs. */
export interface JobData {
  /** Records of jobs, files and batches. */
  readonly jobsTable: JobsTable;
  /** Secrets of webhooks and the log of deliveries. */
  readonly webhooksTable: WebhooksTable;
  /** Large inputs and results, and files. */
  readonly payloadBucket: PayloadBucket;
}

/** Data that outlives a deployment: cached results, and the stored data of jobs. */
export class DataStack extends Stack {
  /** Results of earlier requests. */
  readonly results: ResultsTable;
  /** Stored data of jobs; undefined if the configuration has no jobs. */
  readonly jobData: JobData | undefined;

  constructor(scope: Construct, id: string, props: DataStackProps) {
    super(scope, id, props);
    readOutputs(this);
    const { jobs, retainData } = props.config;
    this.results = new ResultsTable(this, 'Results', { retainData });
    this.jobData = jobs.enabled
      ? {
          jobsTable: new JobsTable(this, 'Jobs', { retainData }),
          webhooksTable: new WebhooksTable(this, 'Webhooks', { retainData }),
          payloadBucket: new PayloadBucket(this, 'Payloads', { ...jobs, retainData }),
        }
      : undefined;
    this.#keepExports();
    this.#addOutput('ResultsTable', 'results', this.results.table.tableName);
    if (this.jobData === undefined) return;
    this.#addOutput('JobsTable', 'jobs', this.jobData.jobsTable.table.tableName);
    this.#addOutput('WebhooksTable', 'webhooks', this.jobData.webhooksTable.table.tableName);
    this.#addOutput('PayloadBucket', 'payloads', this.jobData.payloadBucket.bucket.bucketName);
  }

  #keepExports(): void {
    const { jobsTable, webhooksTable, payloadBucket } = this.jobData ?? {};
    for (const table of [this.results.table, jobsTable?.table, webhooksTable?.table]) {
      if (table !== undefined) keepExports(this, [table.tableArn, table.tableName]);
    }
    if (payloadBucket !== undefined)
      keepExports(this, [payloadBucket.bucket.bucketArn, payloadBucket.bucket.bucketName]);
  }

  /** Programs find a table or bucket by the description, which is its short name. */
  #addOutput(id: string, name: string, value: string): void {
    new CfnOutput(this, id, { value, description: name });
  }
}
