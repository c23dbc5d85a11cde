import { App, CfnOutput, Stack } from 'aws-cdk-lib';
import { AccountRootPrincipal, Role } from 'aws-cdk-lib/aws-iam';
import { InferenceApi, Jobs, Models } from 'tensorgate';

const app = new App();
const stack = new Stack(app, 'SearchWithJobs');
const models = Models.fromDirectory('models');

const jobs = new Jobs(stack, 'Jobs', { models, stageName: 'beta', replyQueues: ['results'] });
const api = new InferenceApi(stack, 'Api', { models, jobs, stageName: 'beta' });

// A program that sends jobs to the queue and reads its results from another one, without the API.
const producer = new Role(stack, 'Producer', { assumedBy: new AccountRootPrincipal() });
jobs.grantSendMessages(producer);
jobs.grantConsumeReplies(producer, 'results');

new CfnOutput(stack, 'InferenceUrl', { value: api.url });
// Local mode lists queues by these descriptions in .tensorgate/local.json.
new CfnOutput(stack, 'JobsQueueUrl', { value: jobs.queues.shared.jobs.queueUrl, description: 'jobs' });
for (const [name, queue] of jobs.queues.replies) {
  new CfnOutput(stack, `QueueUrl-${name}`, { value: queue.queueUrl, description: name });
}
