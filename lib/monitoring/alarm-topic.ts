import { Stack } from 'aws-cdk-lib';
import type { Alarm } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { type ITopic, Topic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import { Construct } from 'constructs';

/** Settings of an {@link AlarmTopic}. */
export interface AlarmTopicProps {
  /** Address that receives the alarms, once its owner has confirmed the message that AWS sends to it. */
  readonly email: string;
}

/** An SNS topic that sends the alarms of this account to an e-mail address. */
export class AlarmTopic extends Construct {
  /** The topic. */
  readonly topic: ITopic;

  constructor(scope: Construct, id: string, { email }: AlarmTopicProps) {
    super(scope, id);
    const topic = new Topic(this, 'Topic', { displayName: `Alarms of ${Stack.of(this).stackName}`, enforceSSL: true });
    // A policy of its own replaces the one that lets the account's alarms publish.
    topic.addToResourcePolicy(
      new PolicyStatement({
        principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
        actions: ['sns:Publish'],
        resources: [topic.topicArn],
        conditions: { StringEquals: { 'aws:SourceAccount': Stack.of(this).account } },
      }),
    );
    topic.addSubscription(new EmailSubscription(email));
    this.topic = topic;
  }
}

/** Notifies a topic when an alarm starts, and when it ends. */
export function notifyOf(alarms: readonly Alarm[], topic: ITopic | undefined): void {
  if (topic === undefined) return;
  const action = new SnsAction(topic);
  for (const alarm of alarms) {
    alarm.addAlarmAction(action);
    alarm.addOkAction(action);
  }
}
