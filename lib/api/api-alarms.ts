import { Duration } from 'aws-cdk-lib';
import type { RestApi } from 'aws-cdk-lib/aws-apigateway';
import { Alarm, ComparisonOperator, MathExpression, type Metric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { Construct } from 'constructs';
import type { ModelFunction } from './model-function.ts';

/** Settings of {@link ApiAlarms}. */
export interface ApiAlarmsProps {
  readonly restApi: RestApi;
  readonly functions: readonly ModelFunction[];
}

/** Failed requests within 5 minutes below which no alarm starts: a single one of few requests is a large share. */
const FEW = 5;

/** Share of failed requests above which an alarm starts, in percent. */
const FAILED_PERCENT = 1;

const SUM = { statistic: 'Sum', period: Duration.minutes(5) } as const;

/** Metrics in the alarms of the API itself, and in those of each model: CloudWatch charges for each metric. */
const METRICS = { api: 2, model: 2 } as const;

/** Counts the metrics in the alarms of an API, each of which costs as much as an alarm. */
export function countAlarmMetrics(models: number): number {
  return METRICS.api + models * METRICS.model;
}

/**
 * Alarms on responses with status 5xx, and on failed and throttled functions of models. The functions around jobs are watched
 * by the age of the messages that they do not process.
 */
export class ApiAlarms extends Construct {
  /** Every alarm. */
  readonly alarms: readonly Alarm[];

  constructor(scope: Construct, id: string, { restApi, functions }: ApiAlarmsProps) {
    super(scope, id);
    this.alarms = [this.#failedRequests(restApi), ...functions.flatMap(functionAlarms)];
  }

  #failedRequests(restApi: RestApi): Alarm {
    const metric = new MathExpression({
      expression: `IF(failed >= ${FEW}, 100 * failed / all, 0)`,
      usingMetrics: { failed: restApi.metricServerError(SUM), all: restApi.metricCount(SUM) },
      label: 'responses with status 5xx, in percent',
      period: SUM.period,
    });
    return new Alarm(this, 'failed-requests', {
      ...WHILE_IT_LASTS,
      metric,
      alarmDescription: `More than ${FAILED_PERCENT} % of the requests of 5 minutes, and at least ${FEW}, got status 5xx`,
      threshold: FAILED_PERCENT,
      comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
    });
  }
}

/** The alarms belong to the function, so that they are in its stack. */
function functionAlarms(fn: ModelFunction): readonly Alarm[] {
  const { id } = fn.model;
  return [
    functionAlarm(fn, 'FailedAlarm', {
      metric: fn.alias.metricErrors(SUM),
      alarmDescription: `At least ${FEW} invocations of the model ${id} crashed or timed out within 5 minutes`,
    }),
    functionAlarm(fn, 'ThrottledAlarm', {
      metric: fn.alias.metricThrottles(SUM),
      alarmDescription: `At least ${FEW} requests to the model ${id} were throttled within 5 minutes`,
    }),
  ];
}

function functionAlarm(
  scope: Construct,
  id: string,
  options: { readonly metric: Metric; readonly alarmDescription: string },
): Alarm {
  return new Alarm(scope, id, {
    ...WHILE_IT_LASTS,
    ...options,
    threshold: FEW,
    comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
  });
}

const WHILE_IT_LASTS = { evaluationPeriods: 1, treatMissingData: TreatMissingData.NOT_BREACHING } as const;
