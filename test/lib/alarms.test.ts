import { describe, expect, it } from '@jest/globals';
import { Stack } from 'aws-cdk-lib';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { parseDeployConfig } from '../../core/config/deploy-config.ts';
import { addDeployment, InferenceApi, renderSynthReport } from '../../lib/index.ts';
import { packedEmbedding, packedTensor } from './packed-models.ts';
import { otherStack, propertiesOf, resourcesOf, synthesizeApi, templateOf, testApp } from './synthesized-api.ts';

const models = [packedEmbedding('one'), packedTensor()];

function deploy(settings: object, region?: string) {
  const app = testApp();
  const env = region === undefined ? {} : { account: '111122223333', region };
  const config = parseDeployConfig(settings, 'test');
  const stacks = addDeployment(app, { config, configFile: 'config/test.yaml', stageName: 'test', models, env });
  const { jobs } = stacks.jobs;
  if (jobs === undefined) throw new Error('there are no jobs');
  return { data: stacks.data, jobs, api: stacks.api.api };
}

/** Alarms of every stack that send notifications of their start and their end. */
function notifying({ jobs, api }: ReturnType<typeof deploy>): readonly string[] {
  return [jobs, api].flatMap((construct) =>
    resourcesOf(templateOf(Stack.of(construct)), 'AWS::CloudWatch::Alarm')
      .filter(({ Properties: { AlarmActions: [start] = [], OKActions: [end] = [] } }) => start && end)
      .map(({ logicalId }) => logicalId),
  );
}

describe('alarms of a deployment', () => {
  it('do not exist without the section alarms', () => {
    const { jobs, api, data } = deploy({});
    expect([...jobs.alarms, ...api.alarms]).toEqual([]);
    expect(data.alarmTopic).toBeUndefined();
  });

  it('watch failed requests, each model, every queue and the scheduled function, and notify an e-mail address', () => {
    const deployed = deploy({ alarms: { email: 'oncall@example.com' } });
    const all = [...deployed.jobs.alarms, ...deployed.api.alarms];
    expect(all).toHaveLength(6 + 2 * models.length + 1 + 2 * models.length);
    expect(notifying(deployed)).toHaveLength(all.length);
    const template = Template.fromStack(deployed.data);
    expect(propertiesOf(template, 'AWS::SNS::Subscription')).toMatchObject({
      Protocol: 'email',
      Endpoint: 'oncall@example.com',
    });
    template.hasResourceProperties('AWS::SNS::TopicPolicy', {
      PolicyDocument: {
        Statement: Match.arrayWith([
          Match.objectLike({
            Action: 'sns:Publish',
            Effect: 'Allow',
            Principal: { Service: 'cloudwatch.amazonaws.com' },
            Condition: { StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } } },
          }),
        ]),
      },
    });
  });

  it('notify a topic that exists already', () => {
    const topicArn = 'arn:aws:sns:eu-central-1:111122223333:oncall';
    const deployed = deploy({ alarms: { topicArn } }, 'eu-central-1');
    Template.fromStack(deployed.data).resourceCountIs('AWS::SNS::Topic', 0);
    Template.fromStack(Stack.of(deployed.api)).hasResourceProperties('AWS::CloudWatch::Alarm', {
      AlarmActions: [topicArn],
      OKActions: [topicArn],
    });
  });

  it('warn at synthesis if they have no recipient', () => {
    const { data } = deploy({ alarms: {} });
    Annotations.fromStack(data).hasWarning(
      '*',
      Match.stringLikeRegexp('^config/test.yaml: alarms have no recipient: set'),
    );
  });

  it('refuse a topic of another region, which CloudWatch cannot notify', () => {
    const topicArn = 'arn:aws:sns:us-east-1:111122223333:oncall';
    expect(() => deploy({ alarms: { topicArn } }, 'eu-central-1')).toThrow(
      /config\/test\.yaml: alarms\.topicArn must be in the region of the deployment, eu-central-1, got arn:aws:sns:us-east-1/,
    );
  });

  it('are priced: each metric of each alarm', () => {
    const report = renderSynthReport(deploy({ alarms: { email: 'oncall@example.com' } }).api);
    expect(report).toContain('\n  alarms of jobs, 10: $1.00\n  alarms of the API, 6: $0.60\n');
  });
});

describe('alarms of an InferenceApi', () => {
  it('start above one percent of failed requests, but not for a few of them', () => {
    const template = synthesizeApi({ models: [packedTensor()], alarms: true });
    const [alarm, ...others] = resourcesOf(template, 'AWS::CloudWatch::Alarm').filter(
      ({ Properties }) => Properties.Metrics !== undefined,
    );
    expect(others).toEqual([]);
    expect(alarm?.Properties).toMatchObject({
      Threshold: 1,
      ComparisonOperator: 'GreaterThanThreshold',
      TreatMissingData: 'notBreaching',
      Metrics: [
        { Expression: 'IF(failed >= 5, 100 * failed / all, 0)' },
        { Id: 'failed', MetricStat: { Metric: { MetricName: '5XXError' }, Stat: 'Sum', Period: 300 } },
        { Id: 'all', MetricStat: { Metric: { MetricName: 'Count' }, Stat: 'Sum', Period: 300 } },
      ],
    });
  });

  it('watch the alias that callers invoke', () => {
    const template = synthesizeApi({ models: [packedTensor()], alarms: true });
    for (const MetricName of ['Errors', 'Throttles']) {
      template.hasResourceProperties('AWS::CloudWatch::Alarm', {
        MetricName,
        Namespace: 'AWS/Lambda',
        Threshold: 5,
        Dimensions: Match.arrayWith([Match.objectLike({ Name: 'Resource' })]),
      });
    }
  });

  it('notify a topic of the app that contains it', () => {
    const stack = otherStack();
    const alarmTopic = new Topic(stack, 'Oncall');
    const { alarms } = new InferenceApi(stack, 'Api', { models: [packedTensor()], alarms: true, alarmTopic });
    expect(alarms).toHaveLength(3);
    Template.fromStack(stack).allResourcesProperties('AWS::CloudWatch::Alarm', {
      AlarmActions: [{ Ref: Match.stringLikeRegexp('^Oncall') }],
    });
  });
});
