import { App, CfnOutput, Stack } from 'aws-cdk-lib';
import { Period } from 'aws-cdk-lib/aws-apigateway';
import { InferenceApi, Models } from 'tensorgate';

const app = new App();
const stack = new Stack(app, 'Search');

const api = new InferenceApi(stack, 'Api', {
  models: Models.fromDirectory('models'),
  stageName: 'beta',
  usagePlans: {
    site: { rateLimit: 20, burstLimit: 40, quota: { limit: 100_000, period: Period.DAY } },
  },
});

new CfnOutput(stack, 'InferenceUrl', { value: api.url });
