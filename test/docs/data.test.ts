import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { parseDeployConfig } from '../../core/config/deploy-config.ts';
import { JOBS_TABLE, jobsTableKeys } from '../../core/jobs/jobs-table.ts';
import { RESULTS_TABLE } from '../../core/results/results-table.ts';
import { webhooksTableKeys } from '../../core/webhooks/webhooks-table.ts';
import { ApiStack, DataStack, JobsStack } from '../../lib/index.ts';
import { packedEmbedding } from '../lib/packed-models.ts';
import { resourcesOf, templateOf, testApp } from '../lib/synthesized-api.ts';

const PAGE = readFileSync('docs/data.md', 'utf8');

/** First cells of the table under a heading, without code marks. */
function rowsUnder(heading: string): string[] {
  const [, section = ''] = PAGE.split(`\n## ${heading}\n`);
  return [...(section.split('\n## ')[0] ?? '').matchAll(/^\| (?!---)([^|]+?) \|/gm)]
    .map(([, cell = '']) => cell.replaceAll('`', ''))
    .slice(1)
    .sort();
}

function namesOf(keys: Readonly<Record<string, (...values: never[]) => string>>, table: string): string[] {
  const kinds = Object.entries(keys)
    .filter(([name]) => !['listKey', 'listSort'].includes(name))
    .map(([, key]) => (key as (...values: unknown[]) => string)({ owner: 'o', id: 'i' }, 'o', 'i').split('/')[0]);
  return [...new Set(kinds)].map((kind) => `${table} ${kind}`);
}

const app = testApp();
const config = parseDeployConfig({ jobs: { replyQueues: ['results'] } }, 'test');
const models = [packedEmbedding()];
const data = new DataStack(app, 'Data', { config });
const jobsStack = new JobsStack(app, 'Jobs', {
  ...{ config, stageName: 'dev', models, resultsTable: data.results },
  jobData: data.jobData,
});
const api = new ApiStack(app, 'Api', {
  ...{ config, stageName: 'dev', models, resultsTable: data.results, jobs: jobsStack.jobs },
});
const templates = [data, jobsStack, api].map((stack) => templateOf(stack));
const all = (type: string) => templates.flatMap((template) => resourcesOf(template, type));

describe('docs/data.md', () => {
  it('has a row for each kind of item of each table', () => {
    expect(
      all('AWS::DynamoDB::GlobalTable')
        .map(({ logicalId }) => logicalId.replace(/Table.*$/, ''))
        .sort(),
    ).toEqual(['Jobs', 'Results', 'Webhooks']);
    expect(JOBS_TABLE.partitionKey).toBe('pk');
    expect(rowsUnder('Tables')).toEqual(
      [
        ...namesOf(jobsTableKeys, 'jobs'),
        ...namesOf(webhooksTableKeys, 'webhooks'),
        `results ${RESULTS_TABLE.partitionKey}`,
      ].sort(),
    );
  });

  it('has a row for each prefix of the bucket', () => {
    const rules = all('AWS::S3::Bucket').flatMap(({ Properties }) => Properties.LifecycleConfiguration.Rules);
    const prefixes = rules.flatMap(({ Prefix: prefix }) => (prefix === undefined ? [] : [prefix]));
    expect(rowsUnder('Bucket')).toEqual(prefixes.sort());
  });

  it('has a row for each queue', () => {
    const names = all('AWS::SQS::Queue').map(({ logicalId }) => nameOfQueue(logicalId));
    expect(rowsUnder('Queues').map((name) => name.replaceAll('-', ''))).toEqual([...new Set(names)].sort());
  });

  it('has a row for each kind of log group', () => {
    const kinds = all('AWS::Logs::LogGroup').map(({ logicalId }) => kindOfLogGroup(logicalId));
    // Endpoints are in a stack of their own, which a deployment without a GPU does not have.
    expect(rowsUnder('Logs, events and metrics')).toEqual([...new Set([...kinds, 'endpoints'])].sort());
  });
});

/** `JobsQueueschunksminilm1A2B3C4D` is a queue `chunks<model>`. */
function nameOfQueue(logicalId: string): string {
  const name = logicalId.replace(/^JobsQueues/, '').replace(/[0-9A-F]{8}$/, '');
  if (name.startsWith('reply')) return 'reply<name>';
  return name.replace(new RegExp(`${models[0]?.id}$`), '<model>');
}

function kindOfLogGroup(logicalId: string): string {
  if (logicalId.startsWith('JobsEvents')) return '/aws/events/tensorgate-<stage>';
  return logicalId.includes('AccessLogs') ? 'access log' : 'functions';
}
