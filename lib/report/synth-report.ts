import { Stack, Token } from 'aws-cdk-lib';
import { breakEvenHitRate, type CostLine } from '../../core/costs/cost.ts';
import { PRICES_MONTH, PRICES_REGION } from '../../core/costs/prices.ts';
import {
  authorizerUsdPerMillionCalls,
  type Logged,
  logsUsdPerMillionJobs,
  logsUsdPerMillionRequests,
  metricsMonthlyUsd,
  type RequestCost,
  requestCosts,
  tracesUsd,
} from '../../core/costs/usage-cost.ts';
import { FUNCTIONS } from '../../core/functions/functions.ts';
import { countSeries } from '../../core/metrics/series.ts';
import { deployedVersions } from '../../core/models/packed-model.ts';
import { taskOf } from '../../core/tasks/tasks.ts';
import { KEPT_RESULT_SECONDS } from '../api/caller-authorizer.ts';
import type { InferenceApi } from '../api/inference-api.ts';
import { type Deployed, formatUsd, idleCost } from '../costs/idle-cost.ts';
import { SERVICE_ARCHITECTURE, type ServiceFunction } from '../functions/service-function.ts';
import type { PackageSizes } from '../packaging/function-package.ts';
import type { Model } from '../packaging/model.ts';

/** Bytes of an item of the results table besides the result: fingerprint, attribute names and two numbers. */
const ITEM_OVERHEAD_BYTES = 100;

/** Computation times for which the report shows the break-even hit rate. */
const EXAMPLE_COMPUTE_MS = [10, 50];

/**
 * Describes a deployment: the size of each function's package, its cost while idle, the cost of metrics, logs, traces and
 * requests, and the hit rate from which the results table saves money.
 *
 * @returns Lines of text, with a line break at the end.
 *
 * @example
 * const api = new InferenceApi(stack, 'Api', { models });
 * process.stderr.write(renderSynthReport(api));
 */
export function renderSynthReport(api: InferenceApi): string {
  const models = api.functions.map(({ model }) => model);
  const idle = idleCost(api.deployed);
  const rows = [
    ['function', 'memory', 'code', 'onnxruntime', 'model', 'total'],
    ...api.functions.map(({ model, packageSizes }) => functionRow(model.id, model.manifest.compute, packageSizes)),
    ...[...api.authorizerFunctions, ...api.jobFunctions].map((fn) => functionRow(fn.node.id, fn, fn.packageSizes)),
  ];
  return [
    ...alignColumns(rows),
    `while idle: ${formatUsd(idle.total)} a month`,
    ...idle.lines.filter(({ usd }) => usd > 0).map(costLine),
    pricesLine(api),
    ...usageLines(api.deployed),
    ...models.flatMap((model) => requestLines(model, api)),
    ...concurrencyLines(api),
    ...callerLines(api),
    ...tenantLines(api),
    ...models.flatMap(foldedLines),
    ...models.flatMap(tableHint),
    '',
  ].join('\n');
}

function tenantLines({ keys }: InferenceApi): readonly string[] {
  const ofTenants = Map.groupBy(keys, ({ tenant }) => tenant);
  return [...ofTenants].flatMap(([tenant, own]) =>
    tenant === undefined
      ? []
      : [`keys of the tenant ${tenant}, plan ${own[0]?.plan}: ${own.map(({ name }) => name).join(', ')}`],
  );
}

/** Says which prices the report uses: those of one region, whatever the region of the deployment. */
function pricesLine(api: InferenceApi): string {
  const { region } = Stack.of(api);
  const prices = `prices of ${PRICES_REGION}, ${PRICES_MONTH}, without free tiers and data transfer`;
  const isOther = !Token.isUnresolved(region) && region !== PRICES_REGION;
  return isOther ? `${prices}; this deployment is in ${region}, where prices differ: https://calculator.aws` : prices;
}

/** Shows the cost of metrics, logs and traces under load. */
function usageLines(deployed: Deployed): readonly string[] {
  const { models, queues, tracing = false } = deployed;
  const logged = loggedBy(deployed);
  const { metrics: level } = logged;
  const versionsOfModels = models.map(({ packed }) => Object.keys(packed.versions).length);
  const series = countSeries({ level, versionsOfModels, hasJobs: queues !== undefined });
  const price = `up to ${formatUsd(metricsMonthlyUsd(series))} a month while requests come every hour`;
  return [
    `metrics (${level}): ${series === 0 ? 'none' : `${series} custom metrics, ${price}`}`,
    `logs of requests to models: ${logsCost('requests', logsUsdPerMillionRequests, logged)}`,
    ...(queues === undefined ? [] : [`logs of jobs: ${logsCost('jobs', logsUsdPerMillionJobs, logged)}`]),
    ...(tracing ? [tracesLine()] : []),
  ];
}

/** Shows the cost of logs, and the cost with the setting that lowers it. */
function logsCost(unit: string, usdPerMillion: (logged: Logged) => number, logged: Logged): string {
  const cost = `${formatUsd(usdPerMillion(logged))} per million ${unit}`;
  if (logged.systemLogLevel === 'WARN') return cost;
  return `${cost}, ${formatUsd(usdPerMillion({ ...logged, systemLogLevel: 'WARN' }))} with systemLogLevel: WARN`;
}

function tracesLine(): string {
  const { perMonth, perMillionRequests } = tracesUsd();
  return `traces: up to ${formatUsd(perMonth)} a month for one each second, and ${formatUsd(perMillionRequests)} per million requests`;
}

/** Shows the whole price of requests whose results are not cached. */
function requestLines(model: Model, { deployed, acceptedHeaders }: InferenceApi): readonly string[] {
  const { compute, cache } = model.manifest;
  // The price of an endpoint is paid by the hour.
  if (compute.target !== 'lambda') return [];
  const { memoryMiB, architecture, provisioned } = compute;
  const costs = EXAMPLE_COMPUTE_MS.map((computeMs) => ({
    computeMs,
    parts: requestCosts({
      memoryMiB,
      architecture,
      computeMs,
      isProvisioned: provisioned !== undefined,
      itemBytes: cache.store === 'table' ? itemBytesOf(model) : undefined,
      ...loggedBy(deployed),
      // With one header, API Gateway keeps the results of the authorizer.
      authorizer:
        acceptedHeaders.length > 1
          ? { memoryMiB: FUNCTIONS.authorize.memoryMiB, architecture: SERVICE_ARCHITECTURE }
          : undefined,
    }),
  }));
  const totals = costs.map(
    ({ computeMs, parts }) =>
      `${formatUsd(parts.reduce((sum, { usd }) => sum + usd, 0))} if computing takes ${computeMs} ms`,
  );
  return [
    `a million requests to ${model.id} whose results are not cached: ${totals.join(', ')}`,
    ...costs.slice(0, 1).map(({ computeMs, parts }) => `  ${computeMs} ms: ${parts.map(costPart).join(', ')}`),
  ];
}

function loggedBy({ metrics = 'basic', systemLogLevel = 'INFO' }: Deployed): Logged {
  return { metrics, systemLogLevel };
}

function costPart({ what, usd }: RequestCost): string {
  return `${what} ${formatUsd(usd)}`;
}

/** Size of an item of the results table; without the result if its size depends on the request. */
function itemBytesOf(model: Model): number {
  return (resultBytesOf(model) ?? 0) + ITEM_OVERHEAD_BYTES;
}

function resultBytesOf({ manifest, packed }: Model): number | undefined {
  const [version] = Object.values(packed.versions);
  return version === undefined ? undefined : taskOf(manifest).resultBytes(version);
}

/** Shows how the concurrent executions of the account are divided. */
function concurrencyLines({ concurrency }: InferenceApi): readonly string[] {
  if (concurrency === undefined) return [];
  const { account, interactive, background, isReduced, warning } = concurrency;
  return [
    `concurrency: ${interactive} of ${account} executions are kept for callers (concurrency.account, concurrency.interactiveShare)`,
    `  jobs, batches and webhooks: at most ${background} together${isReduced ? ', fewer than their settings allow' : ''}${warning === undefined ? '' : '; see the warning'}`,
  ];
}

/** Shows how callers present their keys, and what each way costs under load. */
function callerLines({ acceptedHeaders }: InferenceApi): readonly string[] {
  const perCall = formatUsd(authorizerUsdPerMillionCalls(FUNCTIONS.authorize.memoryMiB, SERVICE_ARCHITECTURE));
  const costs = {
    'bearer, x-api-key': `${perCall} per million requests, because each one calls the authorizer`,
    bearer: `up to ${perCall} per million requests; a key calls the authorizer once in ${KEPT_RESULT_SECONDS / 60} minutes`,
    'x-api-key': `${formatUsd(0)} per million requests, because there is no authorizer`,
  };
  const accepted = acceptedHeaders.join(', ');
  const lines = Object.entries(costs).map(([way, cost]) => ({ way, line: `${way}: ${cost}` }));
  return [
    ...lines.filter(({ way }) => way === accepted).map(({ line }) => `keys by ${line}`),
    ...lines.filter(({ way }) => way !== accepted).map(({ line }) => `  by ${line}`),
  ];
}

function costLine({ what, usd, note }: CostLine): string {
  return `  ${what}: ${formatUsd(usd)}${note === undefined ? '' : `, ${note}`}`;
}

function functionRow(
  name: string,
  { memoryMiB, architecture }: Pick<ServiceFunction, 'memoryMiB' | 'architecture'>,
  { code, natives, model }: PackageSizes,
): readonly string[] {
  const sizes = [code, natives, model, code + natives + model];
  return [name, `${memoryMiB} MiB ${architecture}`, ...sizes.map(formatBytes)];
}

/** Shows how closely the weights for a GPU reproduce the results of those for a CPU that they were made from. */
function foldedLines({ id, packed }: Model): readonly string[] {
  return Object.entries(deployedVersions(packed)).flatMap(([version, { folded }]) => {
    if (folded === undefined) return [];
    const { meanCosine, minCosine, inputs } = folded;
    const measured =
      meanCosine === undefined || minCosine === undefined
        ? 'not measured, for its folder holds no samples'
        : `cosine similarity ${meanCosine.toFixed(4)} on average, ${minCosine.toFixed(4)} at least, over ${inputs} inputs`;
    return [`weights of ${id} version ${version} folded to fp16 for the GPU: ${measured}`];
  });
}

/** Shows the hit rate from which the table costs less than computing, if the size of a result is known. */
function tableHint(model: Model): readonly string[] {
  const { id, manifest } = model;
  if (manifest.cache.store !== 'table' || resultBytesOf(model) === undefined) return [];
  const { memoryMiB, architecture } = manifest.compute;
  const itemBytes = itemBytesOf(model);
  const hints = EXAMPLE_COMPUTE_MS.map((computeMs) => {
    const rate = breakEvenHitRate({ memoryMiB, architecture, computeMs, itemBytes });
    return `${rate === undefined ? 'never' : `from ${Math.ceil(rate * 100)} % hits on`} when computing takes ${computeMs} ms`;
  });
  return [`results table of ${id} saves money ${hints.join(', ')}`];
}

function alignColumns(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

function formatBytes(bytes: number): string {
  if (bytes === 0) return '-';
  return bytes >= 1e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e3).toFixed(1)} kB`;
}
