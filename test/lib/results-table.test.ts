import { describe, expect, it } from '@jest/globals';
import { RemovalPolicy } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { ResultsTable, type ResultsTableProps } from '../../lib/index.ts';
import { otherStack, resourcesOf } from './synthesized-api.ts';

function synthesize(props?: ResultsTableProps) {
  const stack = otherStack();
  new ResultsTable(stack, 'Results', props);
  return resourcesOf(Template.fromStack(stack), 'AWS::DynamoDB::GlobalTable')[0];
}

describe('ResultsTable', () => {
  it('is paid by request, drops old items, has no backups to pay for, and is retained by default', () => {
    expect(synthesize()).toMatchObject({
      DeletionPolicy: 'Retain',
      Properties: {
        BillingMode: 'PAY_PER_REQUEST',
        KeySchema: [{ AttributeName: 'fingerprint', KeyType: 'HASH' }],
        TimeToLiveSpecification: { AttributeName: 'expiresAt', Enabled: true },
        Replicas: [{ PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: false } }],
      },
    });
  });

  it('is deleted with its stack if the removal policy says so', () => {
    expect(synthesize({ removalPolicy: RemovalPolicy.DESTROY })).toMatchObject({ DeletionPolicy: 'Delete' });
  });
});
