import type { Difference, KnownDifference } from './report.ts';

/** Where the emulator, ministack 1.5.33, differs from AWS. */
export const KNOWN_DIFFERENCES: readonly KnownDifference[] = [
  {
    check: 'the unchanged client of OpenAI gets embeddings with a key as its bearer token',
    message: /^401 /,
    emulator: 'reads API keys from the header x-api-key only and ignores the usageIdentifierKey of an authorizer',
    aws:
      'takes the key from the authorizer if the API has apiKeySource AUTHORIZER: "API key source types" in the developer ' +
      'guide of API Gateway. test/app/bearer.test.ts checks it in local mode',
  },
  {
    check: 'every response has a request id',
    message: /'context\.requestId'/,
    emulator: 'does not substitute $context.requestId in the templates of MOCK integrations',
    aws: 'substitutes it: "Variables for data models and mapping templates" in the developer guide of API Gateway',
  },
  {
    check: 'cdk deploy --all keeps environments of a model initialized, and scales them',
    message: /AWS::ApplicationAutoScaling::/,
    emulator: 'has no resource types of AWS::ApplicationAutoScaling, so this deployment fails and is rolled back',
    aws: 'has them: "Resource type reference" of CloudFormation. cfn-lint checks the template against their schemas',
  },
  {
    check: 'cdk deploy --all moves a model to a GPU',
    message: /AWS::SageMaker::/,
    emulator: 'has no resource types of AWS::SageMaker, so this deployment fails and is rolled back',
    aws: 'has them: "Resource type reference" of CloudFormation. cfn-lint checks the template against their schemas',
  },
];

/** Faults of the emulator that `run_ministack.py` corrects. */
export const CORRECTED_FAULTS: readonly Difference[] = [
  {
    emulator: 'forgets the attributes of unchanged resources when a nested stack is updated, so Fn::GetAtt fails',
    aws: 'changes only what differs: "Update behaviors of stack resources" in the user guide of CloudFormation',
  },
  {
    emulator: 'replaces a table by an empty one when a setting such as its deletion protection changes',
    aws: 'changes it in place: DeletionProtectionEnabled of AWS::DynamoDB::GlobalTable has "Update requires: No interruption"',
  },
];
