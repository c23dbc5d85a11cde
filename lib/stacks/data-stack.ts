import { Stack, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { DeployConfig } from '../../core/deploy-config.ts';
import { ResultsTable } from '../constructs/results-table.ts';

/** Settings of a {@link DataStack}. */
export interface DataStackProps extends StackProps {
  /** The deployment's configuration. */
  readonly config: DeployConfig;
}

/** What must outlive a deployment: the results. */
export class DataStack extends Stack {
  /** Results of earlier requests. */
  readonly results: ResultsTable;

  constructor(scope: Construct, id: string, props: DataStackProps) {
    super(scope, id, props);
    this.results = new ResultsTable(this, 'Results', { retainData: props.config.retainData });
  }
}
