import { styleText } from 'node:util';
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

/** Renders what a developer wants to know once local mode is up. */
export function renderBanner({ description, plan, models, endpointUrl }: BannerFacts): string {
  const heading = (text: string): string => `\n  ${styleText('bold', text)}`;
  const curl = renderCurl(description, models);
  return [
    `\n  ${styleText('green', 'ready')}  ${styleText(['bold', 'cyan'], description.url)}  ${styleText('dim', `stage ${description.stage}`)}`,
    ...(models.length === 0
      ? []
      : [heading('Models'), indented(models.map(({ id, task }) => [id, styleText('dim', task)]))]),
    heading('API keys'),
    indented(description.apiKeys.map(({ name, value, limits }) => [name, value, styleText('dim', limits)])),
    ...(curl === undefined ? [] : [heading('Try it'), '', curl]),
    ...renderQueues(description),
    heading('Runs'),
    indented(runningRows(plan)),
    ...renderNotRun(plan.notRun),
    ...renderIgnored(plan.ignored),
    heading('Look inside'),
    indented([
      ['logs', description.logs],
      [
        'AWS',
        `AWS_ENDPOINT_URL=${endpointUrl} AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local AWS_REGION=us-east-1`,
      ],
    ]),
    `\n  ${styleText('dim', 'Ctrl-C stops everything.')}\n`,
  ].join('\n');
}

/** A command that works when pasted: a request to a task's own route, or the list of models. */
function renderCurl({ url, apiKeys }: LocalDescription, models: readonly ServedModel[]): string | undefined {
  const key = apiKeys[0]?.value;
  if (key === undefined) return undefined;
  const route = TASK_ROUTES.find(({ task }) => models.some((model) => model.task === task));
  const model = models.find(({ task }) => task === route?.task);
  if (route === undefined || model === undefined) return `curl ${url}/v1/models -H 'x-api-key: ${key}'`;
  const body = JSON.stringify(route.example(model.id));
  return `curl ${url}${route.path} -H 'x-api-key: ${key}' -H 'content-type: application/json' -d '${body}'`;
}

function renderQueues({ queues }: LocalDescription): string[] {
  const rows = Object.entries(queues);
  return rows.length === 0 ? [] : [`\n  ${styleText('bold', 'Queues')}`, indented(rows)];
}

function runningRows(plan: LocalPlan): string[][] {
  return [
    ...plan.apis.map(({ name, methods }) => ['REST API', name, styleText('dim', `${methods.length} methods`)]),
    ...plan.functions.map(({ name, memoryMiB, timeoutMs, provisioned }) => {
      const warm = Object.values(provisioned).reduce((sum, count) => sum + count, 0);
      const size = `${memoryMiB} MiB, ${timeoutMs / 1000} s${warm > 0 ? `, ${warm} warm` : ''}`;
      return ['Lambda function', name, styleText('dim', size)];
    }),
    ...plan.tables.map(({ name }) => ['DynamoDB table', name, styleText('dim', 'in memory')]),
    ...plan.queues.map(({ name }) => ['SQS queue', name, styleText('dim', 'in memory')]),
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
  return [`\n  ${styleText(['bold', 'yellow'], 'Does not run here: what needs it will not work')}`, indented(rows)];
}

function renderIgnored(ignored: readonly NotRun[]): string[] {
  if (ignored.length === 0) return [];
  const rows = [...Map.groupBy(ignored, ({ type }) => type)].map(([type, group]) => [
    styleText('dim', `${group.length} ${type}`),
    styleText('dim', group[0]?.reason ?? ''),
  ]);
  return [`\n  ${styleText('dim', 'Left out, which does no harm')}`, indented(rows)];
}

/** Rows in columns, two spaces from the edge like the headings above them. */
function indented(rows: readonly (readonly string[])[]): string {
  return renderColumns(rows).replaceAll(/^/gm, '  ');
}
