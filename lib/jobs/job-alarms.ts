import { Duration } from 'aws-cdk-lib';
import {
  Alarm,
  type AlarmProps,
  ComparisonOperator,
  type Metric,
  Stats,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { FUNCTIONS, type ScheduledName } from '../../core/functions/functions.ts';
import type { JobFunctions } from './job-functions.ts';
import type { JobQueues } from './job-queues.ts';

/** Age above which a waiting job raises an alarm. */
const OLD_JOB = Duration.minutes(15);

/** Half of the completion window of a batch. */
const OLD_CHUNK = Duration.hours(12);

/** Age above which a message of a shared queue raises an alarm: twice the longest delay that SQS offers. */
const OLD_STEP = Duration.minutes(30);

/** Runs in a row that a scheduled function fails before an alarm starts: the next run does what a failed one did not. */
const FAILED_RUNS = 3;

/** Settings of {@link JobAlarms}. */
export interface JobAlarmsProps {
  readonly queues: JobQueues;
  /** Functions behind the queues: the alarms of a model are in the stack of its worker. */
  readonly functions: Pick<JobFunctions, 'scheduled' | 'stackOf'>;
}

/** Alarms that need an operator. They have no actions: add some to {@link JobAlarms.alarms}. */
export class JobAlarms extends Construct {
  /** Every alarm. */
  readonly alarms: readonly Alarm[];

  constructor(scope: Construct, id: string, { queues, functions }: JobAlarmsProps) {
    super(scope, id);
    const deadLetters = queues.shared['dead-letters'];
    this.alarms = [
      this.#alarm('dead-letters', deadLetters.metricApproximateNumberOfMessagesVisible(MAXIMUM), {
        above: 0,
        description: 'The dead-letter queue holds messages that no function could process',
      }),
      this.#age('jobs', queues.shared.jobs, OLD_JOB),
      this.#age('lost-jobs', queues.shared['lost-jobs'], OLD_STEP),
      this.#age('batches', queues.shared.batches, OLD_STEP),
      this.#age('webhooks', queues.shared.webhooks, OLD_STEP),
      ...[...functions.scheduled].map(([name, { fn }]) => this.#failedRuns(name, fn)),
      ...[...queues.models].flatMap(([model, { jobs, chunks }]) => [
        this.#age(`jobs-${model}`, jobs, OLD_JOB, functions.stackOf(model)),
        this.#age(`chunks-${model}`, chunks, OLD_CHUNK, functions.stackOf(model)),
      ]),
    ];
  }

  #age(name: string, queue: IQueue, age: Duration, scope: Construct = this): Alarm {
    return this.#alarm(name, queue.metricApproximateAgeOfOldestMessage(MAXIMUM), {
      scope,
      above: age.toSeconds(),
      description: `The oldest message of ${name} has waited for more than ${age.toHumanString()}`,
    });
  }

  #failedRuns(name: ScheduledName, fn: IFunction): Alarm {
    const period = Duration.minutes(FUNCTIONS[name].schedule.everyMinutes);
    return this.#alarm(name, fn.metricErrors({ statistic: Stats.SUM, period }), {
      above: 0,
      evaluationPeriods: FAILED_RUNS,
      description: `The function ${name} failed ${FAILED_RUNS} times in a row`,
    });
  }

  #alarm(
    name: string,
    metric: Metric,
    {
      above,
      description,
      scope = this,
      evaluationPeriods = 1,
    }: AlarmOptions & Partial<Pick<AlarmProps, 'evaluationPeriods'>>,
  ): Alarm {
    return new Alarm(scope, name, {
      metric,
      alarmDescription: description,
      threshold: above,
      comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
      evaluationPeriods,
      treatMissingData: TreatMissingData.NOT_BREACHING,
    });
  }
}

interface AlarmOptions {
  readonly above: number;
  readonly description: string;
  /** Construct that the alarm belongs to. Defaults to all alarms. */
  readonly scope?: Construct;
}

const MAXIMUM = { statistic: 'Maximum', period: Duration.minutes(5) } as const;
