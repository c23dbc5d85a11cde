import { ArnFormat, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { EventBus, EventField, type IRuleTarget, Rule, RuleTargetInput } from 'aws-cdk-lib/aws-events';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { LogGroup, ResourcePolicy, type RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';

/** Value of `source` of the events of jobs. */
export const JOB_EVENT_SOURCE = 'tensorgate.jobs';

/** Settings of {@link JobEvents}. */
export interface JobEventsProps {
  /** Name of the stage, part of the names of bus and log group. */
  readonly stageName: string;
  /** How long events are kept in the log. */
  readonly logRetention: RetentionDays;
}

/**
 * The event bus that receives completed jobs, and a log that says which jobs have completed. The log has its own retention,
 * so it holds no result and no address of one.
 */
export class JobEvents extends Construct {
  /** The bus, for custom rules. */
  readonly bus: EventBus;
  /** Log group with one line for each event of jobs: id, time, status and model. */
  readonly logGroup: LogGroup;

  /** @internal */
  constructor(scope: Construct, id: string, { stageName, logRetention }: JobEventsProps) {
    super(scope, id);
    this.bus = new EventBus(this, 'Bus', {
      eventBusName: `tensorgate-${stageName}`,
      description: `Jobs of the stage ${stageName} that have ended`,
    });
    this.logGroup = new LogGroup(this, 'Log', {
      // EventBridge writes to log groups below this prefix only.
      logGroupName: `/aws/events/tensorgate-${stageName}`,
      retention: logRetention,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const policy = new ResourcePolicy(this, 'LogPolicy', {
      policyStatements: [
        new PolicyStatement({
          principals: [
            new ServicePrincipal('events.amazonaws.com'),
            new ServicePrincipal('delivery.logs.amazonaws.com'),
          ],
          actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
          resources: [this.logGroup.logGroupArn],
        }),
      ],
    });
    const rule = new Rule(this, 'Rule', {
      description: 'Writes which jobs have ended to the log, without their results',
      eventBus: this.bus,
      eventPattern: { source: [JOB_EVENT_SOURCE] },
      targets: [logTarget(this.logGroup)],
    });
    rule.node.addDependency(policy);
  }
}

/**
 * The part of an event that is logged. CloudWatch Logs takes an object of these two members, both texts. The fields are those
 * that every event has.
 */
const LOGGED = RuleTargetInput.fromObject({
  timestamp: EventField.time,
  message: [
    EventField.fromPath('$.detail-type'),
    `event=${EventField.fromPath('$.detail.id')}`,
    `job=${EventField.fromPath('$.detail.subject')}`,
    `model=${EventField.fromPath('$.detail.data.model')}`,
    `endpoint=${EventField.fromPath('$.detail.data.endpoint')}`,
    `ended=${EventField.fromPath('$.detail.time')}`,
  ].join(' '),
});

/** The CDK's own target for log groups sets the policy with a custom resource, although CloudFormation can set it. */
function logTarget(logGroup: LogGroup): IRuleTarget {
  const arn = Stack.of(logGroup).formatArn({
    service: 'logs',
    resource: 'log-group',
    resourceName: logGroup.logGroupName,
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  });
  return { bind: () => ({ arn, input: LOGGED }) };
}
