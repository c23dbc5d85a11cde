import { Duration } from 'aws-cdk-lib';
import { Alarm, ComparisonOperator, type Metric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { JobQueues } from './job-queues.ts';

/** Age above which a waiting job raises an alarm. */
const OLD_JOB = Duration.minutes(15);

/** Half of the completion window of a batch. */
const OLD_CHUNK = Duration.hours(12);

/** Alarms that need an operator. They have no actions: add some to {@link JobAlarms.alarms}. */
export class JobAlarms extends Construct {
  /** Every alarm. */
  readonly alarms: readonly Alarm[];

  constructor(scope: Construct, id: string, { queues }: { readonly queues: JobQueues }) {
    super(scope, id);
    const deadLetters = queues.shared['dead-letters'];
    this.alarms = [
      this.#alarm('dead-letters', deadLetters.metricApproximateNumberOfMessagesVisible(MAXIMUM), {
        above: 0,
        description: 'The dead-letter queue holds messages that no function could process',
      }),
      this.#age('jobs', queues.shared.jobs, OLD_JOB),
      ...[...queues.models].flatMap(([model, { jobs, chunks }]) => [
        this.#age(`jobs-${model}`, jobs, OLD_JOB),
        this.#age(`chunks-${model}`, chunks, OLD_CHUNK),
      ]),
    ];
  }

  #age(name: string, queue: IQueue, age: Duration): Alarm {
    return this.#alarm(name, queue.metricApproximateAgeOfOldestMessage(MAXIMUM), {
      above: age.toSeconds(),
      description: `The oldest message of ${name} has waited for more than ${age.toHumanString()}`,
    });
  }

  #alarm(name: string, metric: Metric, options: { readonly above: number; readonly description: string }): Alarm {
    return new Alarm(this, name, {
      metric,
      alarmDescription: options.description,
      threshold: options.above,
      comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
      evaluationPeriods: 1,
      treatMissingData: TreatMissingData.NOT_BREACHING,
    });
  }
}

const MAXIMUM = { statistic: 'Maximum', period: Duration.minutes(5) } as const;
