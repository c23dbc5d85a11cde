import { gpuInstanceType } from '../models/gpu-instance-types.ts';
import { type Architecture, FREE_SQS_REQUESTS, MONTH_SECONDS, PRICES } from './prices.ts';
import { LOOKUP_MS, tableReadUsd, tableWriteUsd } from './usage-cost.ts';

/** The billable properties of a function. */
export interface PricedFunction {
  readonly memoryMiB: number;
  readonly architecture: Architecture;
  /** Environments kept initialized; zero when they start on demand. */
  readonly provisionedMin: number;
}

/** One line of a bill. */
export interface CostLine {
  readonly what: string;
  /** US dollars a month. */
  readonly usd: number;
  /** A condition of the sum. */
  readonly note?: string;
}

/** The billable properties of the queues of jobs. */
export interface PricedQueues {
  /** Event source mappings, each of which polls one queue continuously. */
  readonly mappings: number;
  /** Alarms on queues and scheduled functions. */
  readonly alarms: number;
  /**
   * Functions that run by themselves.
   *
   * @default - none
   */
  readonly scheduled?: readonly PricedSchedule[];
}

/** The billable properties of a function that runs by itself. */
export interface PricedSchedule {
  readonly name: string;
  readonly memoryMiB: number;
  readonly architecture: Architecture;
  readonly everyMinutes: number;
}

/** The billable properties of an endpoint. */
export interface PricedEndpoint {
  readonly instanceType: string;
  /** Instances that run even without requests, of all variants together. */
  readonly instances: number;
  /** Metrics in alarms. */
  readonly alarms: number;
}

/** Billable resources of a deployment besides its functions. */
export interface PricedExtras {
  /**
   * Queues of jobs.
   *
   * @default - a deployment without jobs
   */
  readonly queues?: PricedQueues | undefined;
  /**
   * Endpoints on GPUs.
   *
   * @default - none
   */
  readonly endpoints?: readonly PricedEndpoint[];
  /**
   * Metrics in alarms on the API and on functions of models.
   *
   * @default 0
   */
  readonly alarms?: number | undefined;
}

/** A deployment without jobs. */
const NO_QUEUES: PricedQueues = { mappings: 0, alarms: 0 };

/**
 * How an event source mapping polls an idle queue: five receivers, each waiting 20 seconds for a message.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
 */
const IDLE_POLLING = { receivers: 5, waitSeconds: 20 };

/**
 * An invocation of a schedule that finds nothing to do: a second, which includes a cold start, and a read of each
 * partition of the index of due records. EventBridge does not charge for schedules.
 */
const IDLE_RUN = { seconds: 1, readUnits: 2 };

/** Target tracking creates one alarm to scale out and one to scale in (Application Auto Scaling user guide). */
const ALARMS_OF_TARGET_TRACKING = 2;

/**
 * Computes the cost of a deployment in a month without a single request, at the prices of {@link PRICES}.
 *
 * @param functions - One for each model.
 * @returns The lines, those of zero included, because a reader looks for them.
 */
export function idleMonthlyUsd(
  functions: readonly PricedFunction[],
  { queues = NO_QUEUES, endpoints = [], alarms = 0 }: PricedExtras = {},
): {
  readonly total: number;
  readonly lines: CostLine[];
} {
  const warm = functions.filter(({ provisionedMin }) => provisionedMin > 0);
  const lines = [
    ...warm.map(provisionedLine),
    ...(warm.length === 0 ? [{ what: 'functions, started on demand', usd: 0 }] : [alarmLine(warm.length)]),
    { what: 'API Gateway, paid by request', usd: 0 },
    { what: 'results table, paid by request and by what it holds', usd: 0 },
    { what: 'logs and metrics, paid by what requests write', usd: 0 },
    ...(queues.mappings === 0 ? [] : [pollingLine(queues.mappings)]),
    ...(queues.scheduled ?? []).map(scheduleLine),
    ...(queues.alarms === 0 ? [] : [alarmsLine('jobs', queues.alarms)]),
    ...(alarms === 0 ? [] : [alarmsLine('the API', alarms)]),
    ...endpoints.flatMap(endpointLines),
  ];
  return { total: lines.reduce((sum, { usd }) => sum + usd, 0), lines };
}

function provisionedLine({ memoryMiB, architecture, provisionedMin }: PricedFunction): CostLine {
  const gibSeconds = provisionedMin * (memoryMiB / 1024) * MONTH_SECONDS;
  return {
    what: `provisioned concurrency, ${provisionedMin} x ${memoryMiB} MiB ${architecture}`,
    usd: gibSeconds * PRICES.lambdaProvisionedGibSecond[architecture],
  };
}

function alarmLine(functions: number): CostLine {
  const count = functions * ALARMS_OF_TARGET_TRACKING;
  return { what: `alarms of target tracking, ${count}`, usd: count * PRICES.cloudWatchAlarmMonth };
}

function pollingLine(mappings: number): CostLine {
  const requests = mappings * IDLE_POLLING.receivers * (MONTH_SECONDS / IDLE_POLLING.waitSeconds);
  const free = Math.min(requests, FREE_SQS_REQUESTS);
  return {
    what: `polling of ${mappings} queues, ${requests.toLocaleString('en-US')} requests`,
    usd: usdOfSqs(requests),
    note: `up to $${usdOfSqs(free).toFixed(2)} less where nothing else uses the account's ${FREE_SQS_REQUESTS.toLocaleString('en-US')} free requests`,
  };
}

function scheduleLine({ name, memoryMiB, architecture, everyMinutes }: PricedSchedule): CostLine {
  const runs = MONTH_SECONDS / 60 / everyMinutes;
  const gibSeconds = runs * IDLE_RUN.seconds * (memoryMiB / 1024);
  const reads = (runs * IDLE_RUN.readUnits * PRICES.dynamoDbMillionReadUnits) / 1e6;
  const requests = (runs * PRICES.lambdaMillionRequests) / 1e6;
  return {
    what: `function ${name} every ${everyMinutes} minutes, ${runs.toLocaleString('en-US')} runs`,
    usd: gibSeconds * PRICES.lambdaGibSecond[architecture] + reads + requests,
  };
}

function usdOfSqs(requests: number): number {
  return (requests / 1e6) * PRICES.sqsMillionRequests;
}

function alarmsLine(owner: string, alarms: number): CostLine {
  return { what: `alarms of ${owner}, ${alarms}`, usd: alarms * PRICES.cloudWatchAlarmMonth };
}

function endpointLines({ instanceType, instances, alarms }: PricedEndpoint): readonly CostLine[] {
  const usdPerHour = gpuInstanceType(instanceType)?.usdPerHour ?? 0;
  return [
    {
      what: `GPU instances, ${instances} x ${instanceType}`,
      usd: (instances * usdPerHour * MONTH_SECONDS) / 3600,
      note: 'they run whether requests come or not',
    },
    alarmsLine('the endpoint', alarms),
  ];
}

/** A result that the results table can hold. */
export interface KeptResult {
  readonly memoryMiB: number;
  readonly architecture: Architecture;
  /** Time that computing the result takes. */
  readonly computeMs: number;
  /** Size of the item in the table. */
  readonly itemBytes: number;
  /** Time that a look-up takes, in which the function is billed. Defaults to 4. */
  readonly lookupMs?: number;
}

/**
 * Computes the hit rate from which the results table saves money: look-up plus write, over computation plus write.
 *
 * @returns From 0 to 1; undefined if the table costs more than it saves at any hit rate.
 */
export function breakEvenHitRate(result: KeptResult): number | undefined {
  const { memoryMiB, architecture, computeMs, itemBytes, lookupMs = LOOKUP_MS } = result;
  const usdPerMs = ((memoryMiB / 1024) * PRICES.lambdaGibSecond[architecture]) / 1000;
  const read = tableReadUsd(itemBytes);
  const write = tableWriteUsd(itemBytes);
  const rate = (read + lookupMs * usdPerMs + write) / (computeMs * usdPerMs + write);
  return rate <= 1 ? rate : undefined;
}
