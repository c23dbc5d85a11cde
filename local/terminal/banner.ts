import { styleText } from 'node:util';
import { variableOf } from '../../core/functions/settings.ts';
import { TASK_ROUTES } from '../../core/tasks/task-routes.ts';
import type { LocalDescription } from '../local-description.ts';
import type { ServedModel } from '../served-models.ts';
import type { LocalPlan } from '../template/plan.ts';
import type { EndpointPlan } from '../template/plan-endpoints.ts';
import type { NotRun } from '../template/plan-functions.ts';
import { renderColumns } from './table.ts';

/** Content of the banner. */
export interface BannerFacts {
  readonly description: LocalDescription;
  readonly plan: LocalPlan;
  readonly models: readonly ServedModel[];
  /** URL of the endpoint that stands for AWS. */
  readonly endpointUrl: string;
}

/**
 * Renders what a developer needs first: the address, the keys, and a request that works when pasted. It fits a terminal of 80
 * columns and 24 lines, whatever the app holds.
 */
export function renderReady({ description, models, plan }: Omit<BannerFacts, 'endpointUrl'>): string {
  const { url, stage, apiKeys } = description;
  const shownKeys = apiKeys.slice(0, MAX_SHOWN_KEYS);
  const rows = [
    ['models', shorten(models.map(({ id }) => id))],
    ...shownKeys.map(({ name, value }, index) => [index === 0 ? 'keys' : '', `${value}  ${styleText('dim', name)}`]),
    ...(apiKeys.length > shownKeys.length ? [['', `${apiKeys.length - shownKeys.length} more`]] : []),
  ];
  const curl = renderCurl(description, models, plan);
  return [
    '',
    `  ${styleText('green', 'ready')}   ${styleText(['bold', 'cyan'], url)}  ${styleText('dim', `stage ${stage}`)}`,
    indented(rows.map(([title = '', cell = '']) => [styleText('bold', title), cell])),
    ...(plan.notRun.length === 0 ? [] : [`  ${styleText('yellow', renderNotRunCount(plan.notRun.length))}`]),
    ...(curl === undefined ? [] : ['', curl]),
    '',
    '',
  ].join('\n');
}

function renderNotRunCount(count: number): string {
  if (count === 1) return '1 resource does not run here, and what needs it fails: see the details';
  return `${count} resources do not run here, and what needs them fails: see the details`;
}

/** Keys on the first screen; the details hold all of them. */
const MAX_SHOWN_KEYS = 4;

/** Characters of a list on the first screen. */
const MAX_LIST_WIDTH = 60;

/** A list of names on one line, with the number of those that do not fit. */
function shorten(names: readonly string[]): string {
  if (names.length === 0) return 'none';
  const shown: string[] = [];
  for (const name of names) {
    if ([...shown, name].join(', ').length > MAX_LIST_WIDTH) break;
    shown.push(name);
  }
  const rest = names.length - shown.length;
  return [...shown, ...(rest === 0 ? [] : [`${rest} more`])].join(', ');
}

/** Renders everything that runs, and how to look into it. */
export function renderDetails({ description, plan, models, endpointUrl }: BannerFacts): string {
  return [
    ...(models.length === 0
      ? []
      : [heading('Models'), indented(models.map(({ id, task }) => [id, styleText('dim', task)]))]),
    heading('API keys'),
    indented(description.apiKeys.map(({ name, value, limits }) => [name, value, styleText('dim', limits)])),
    ...renderQueues(description),
    heading(`Lambda functions, with logs in ${description.logs}/<function>.log`),
    indented(functionRows(plan)),
    heading('Runs'),
    indented(runningRows(plan)),
    ...renderNotRun(plan.notRun),
    ...renderIgnored(plan.ignored),
    heading('For the AWS CLI from version 2.13.0, boto3 from version 1.28.0, and the SDKs'),
    '',
    ...awsVariables(endpointUrl).map((variable) => `export ${variable}`),
    '',
    '',
  ].join('\n');
}

/** Environment variables for tools of AWS. boto3 and version 1 of the AWS CLI read `AWS_DEFAULT_REGION` only. */
function awsVariables(endpointUrl: string): readonly string[] {
  return [
    `AWS_ENDPOINT_URL=${endpointUrl}`,
    'AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local',
    'AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1',
    // Versions from 2025 on add checksums by CRC-64/NVME otherwise, which local S3 does not compute.
    'AWS_REQUEST_CHECKSUM_CALCULATION=when_required',
  ];
}

function heading(text: string): string {
  return `\n  ${styleText('bold', text)}`;
}

/** A command that works when pasted: a request to a task's own route, or the list of models. */
function renderCurl(
  { url, apiKeys }: LocalDescription,
  models: readonly ServedModel[],
  plan: LocalPlan,
): string | undefined {
  const key = apiKeys[0]?.value;
  if (key === undefined) return undefined;
  const header = acceptsBearer(plan) ? `Authorization: Bearer ${key}` : `x-api-key: ${key}`;
  const route = TASK_ROUTES.find(({ task }) => models.some((model) => model.task === task));
  const model = models.find(({ task }) => task === route?.task);
  if (route === undefined || model === undefined) return `curl ${url}/v1/models -H '${header}'`;
  return [
    `curl ${url}${route.path} \\`,
    `  -H '${header}' \\`,
    "  -H 'content-type: application/json' \\",
    `  -d '${JSON.stringify(route.example(model.id))}'`,
  ].join('\n');
}

function renderQueues({ queues }: LocalDescription): string[] {
  const rows = Object.entries(queues);
  return rows.length === 0 ? [] : [heading('Queues'), indented(rows)];
}

/** Returns whether the app's authorizer takes keys from the header that every client can send. */
function acceptsBearer({ functions }: LocalPlan): boolean {
  const variable = variableOf('acceptedHeaders');
  return functions.some(({ environment }) => environment[variable]?.includes('bearer') === true);
}

function functionRows({ functions }: LocalPlan): string[][] {
  return functions.map(({ logName, memoryMiB, timeoutMs, provisioned }) => {
    const warm = Object.values(provisioned).reduce((sum, count) => sum + count, 0);
    return [logName, styleText('dim', `${memoryMiB} MiB, ${timeoutMs / 1000} s${warm > 0 ? `, ${warm} warm` : ''}`)];
  });
}

function runningRows(plan: LocalPlan): string[][] {
  return [
    ...plan.apis.map(({ name, methods }) => ['REST API', name, styleText('dim', `${methods.length} methods`)]),
    ...plan.tables.map(({ name }) => ['DynamoDB table', name]),
    ...plan.queues.map(({ name }) => ['SQS queue', name]),
    ...plan.endpoints.filter(hasVariants).map(({ name, variants, shadow }) => {
      const shadows = shadow === undefined ? [] : [`${shadow.name} in its shadow`];
      const names = [...variants.map((variant) => variant.name), ...shadows].join(', ');
      return ['SageMaker endpoint', name, styleText('dim', `a stand-in on this machine's processor, ${names}`)];
    }),
  ];
}

/** The list of unsupported features reports containers that do not run here. */
function hasVariants({ variants }: EndpointPlan): boolean {
  return variants.length > 0;
}

function renderNotRun(notRun: readonly NotRun[]): string[] {
  if (notRun.length === 0) return [];
  const rows = notRun.map(({ resource, type, reason }) => [styleText('yellow', resource), type, reason]);
  return [`\n  ${styleText(['bold', 'yellow'], 'Does not run here, and what needs it fails')}`, indented(rows)];
}

function renderIgnored(ignored: readonly NotRun[]): string[] {
  if (ignored.length === 0) return [];
  const rows = [...Map.groupBy(ignored, ({ type }) => type)].map(([type, group]) => [
    styleText('dim', `${group.length} ${type}`),
    styleText('dim', group[0]?.reason ?? ''),
  ]);
  return [`\n  ${styleText('dim', 'Left out, because nothing here needs it')}`, indented(rows)];
}

/** Rows in columns, two spaces from the edge like the headings above them. */
function indented(rows: readonly (readonly string[])[]): string {
  return renderColumns(rows).replaceAll(/^/gm, '  ');
}
