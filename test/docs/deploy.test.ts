import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it, test } from '@jest/globals';
import { DefaultStackSynthesizer, type Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Alarm } from 'aws-cdk-lib/aws-cloudwatch';
import { parse } from 'yaml';
import { program } from '../../cli/main.ts';
import { parseDeployConfig } from '../../core/config/deploy-config.ts';
import { idleMonthlyUsd } from '../../core/costs/cost.ts';
import {
  logsUsdPerMillionJobs,
  logsUsdPerMillionRequests,
  requestCosts,
  tracesUsd,
} from '../../core/costs/usage-cost.ts';
import { FUNCTIONS } from '../../core/functions/functions.ts';
import { addDeployment } from '../../lib/index.ts';
import { packedEmbedding } from '../lib/packed-models.ts';
import { testApp } from '../lib/synthesized-api.ts';

const PAGE = readFileSync('docs/deploy.md', 'utf8');

/** Blocks of code of one language. */
function blocks(language: string): readonly string[] {
  return [...PAGE.matchAll(new RegExp(`^( *)\`\`\`${language}\\n(.*?)^ *\`\`\`$`, 'gms'))].map(
    ([, , code = '']) => code,
  );
}

/** Everything that is written as code. */
const CODE = [...[...PAGE.matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code), ...blocks('(?:sh|yaml|json)')];

/** Commands of a program, with their options: `deploy --all -c`. */
function commandsOf(program: string): readonly (readonly string[])[] {
  const lines = CODE.flatMap((code) => code.replaceAll('\\\n', ' ').split('\n'));
  return lines.flatMap((line) =>
    [...line.matchAll(new RegExp(`(?:npx |^)${program} ([^\`&|#]+)`, 'g'))].map(([, rest = '']) =>
      rest.trim().split(/\s+/),
    ),
  );
}

/** Values of the placeholders in the names of the roles of `cdk bootstrap`. */
const PLACEHOLDERS = {
  'AWS::Partition': 'aws',
  'AWS::AccountId': '111122223333',
  'AWS::Region': 'eu-central-1',
  Qualifier: DefaultStackSynthesizer.DEFAULT_QUALIFIER,
} as const;

const model = packedEmbedding('minilm');
const stacks = addDeployment(testApp(), {
  config: parseDeployConfig({ alarms: { email: 'oncall@example.com' }, jobs: { replyQueues: ['results'] } }, 'test'),
  configFile: 'config/test.yaml',
  stageName: 'prod',
  models: [model],
  env: {},
});

const STACKS: readonly Stack[] = [stacks.data, stacks.gpu, stacks.jobs, stacks.api];

describe('docs/deploy.md', () => {
  it('calls scripts of the package that exist', () => {
    const { scripts } = JSON.parse(readFileSync('package.json', 'utf8'));
    const named = [...PAGE.matchAll(/npm run ([\w:-]+)/g)].map(([, name = '']) => name);
    expect(named.filter((name) => !Object.hasOwn(scripts, name))).toEqual([]);
  });

  it('calls commands of tensorgate that exist', () => {
    const named = commandsOf('tensorgate').map((words) => words.filter((word) => /^[a-z]/.test(word)).slice(0, 2));
    expect(named.length).toBeGreaterThan(1);
    for (const [group = '', name] of named) {
      const command = program().commands.find((one) => one.name() === group);
      expect(command?.name()).toBe(group);
      if (name !== undefined) expect(command?.commands.map((one) => one.name())).toContain(name);
    }
  });

  it('calls commands of the CDK with options that exist', () => {
    const calls = commandsOf('cdk');
    const verbs = new Set(calls.map(([verb = '']) => verb));
    expect([...verbs]).toEqual(expect.arrayContaining(['bootstrap', 'deploy', 'destroy', 'diff', 'gc']));
    for (const verb of verbs) {
      const { stdout } = spawnSync('node_modules/.bin/cdk', [verb, '--help'], { encoding: 'utf8' });
      expect(stdout).toMatch(new RegExp(`^cdk ${verb}\\b`));
      for (const option of calls
        .filter(([one]) => one === verb)
        .flat()
        .filter((word) => word.startsWith('-'))) {
        const [name = ''] = option.split('=');
        expect({ verb, has: new RegExp(`[ ,]${name}[ ,]`).test(`${stdout} `) ? name : undefined }).toEqual({
          verb,
          has: name,
        });
      }
    }
  });

  it('names the stacks of a deployment, and no others', () => {
    const names = new Set([...PAGE.matchAll(/\bTensorgate[A-Z]\w*(?=-)/g)].map(([name]) => name));
    const existing = STACKS.map(({ stackName }) => stackName.replace(/-prod$/, ''));
    expect([...names].sort()).toEqual(existing.sort());
  });

  it('names outputs that the stacks have', () => {
    const outputs = STACKS.flatMap((stack) => Object.entries(Template.fromStack(stack).findOutputs('*')));
    const ids = outputs.map(([id]) => id);
    const descriptions = outputs.map(([, { Description }]) => Description);
    expect(ids).toEqual(
      expect.arrayContaining(['ApiUrl', 'QueueUrlJobs', 'QueueUrlDeadLetters', 'QueueUrlReplyResults']),
    );
    expect(ids).toEqual(expect.arrayContaining(['ResultsTable', 'JobsTable', 'WebhooksTable', 'PayloadBucket']));
    for (const [, name = ''] of PAGE.matchAll(/OutputKey=='(\w+)'/g)) expect(ids).toContain(name);
    for (const [, name = ''] of PAGE.matchAll(/Description=='([^']+)'/g)) expect(descriptions).toContain(name);
    expect(descriptions).toEqual(expect.arrayContaining(['worker of minilm', 'serve-jobs', 'deliver-webhooks']));
  });

  it('shows configurations that are valid', () => {
    const shown = blocks('yaml').filter((code) => !code.startsWith('# .github'));
    expect(shown.length).toBeGreaterThan(4);
    for (const code of shown) expect(() => parseDeployConfig(parse(code), 'docs/deploy.md')).not.toThrow();
  });

  it('has every alarm of a deployment in its table', () => {
    const alarms = STACKS.flatMap(({ node }) => node.findAll().filter((one) => one instanceof Alarm));
    const rows = [...PAGE.matchAll(/^\| (`[^|]+) \| [^|]+ \| [^|]+ \|$/gm)].map(([, names = '']) => names).join(' ');
    for (const { node } of alarms) {
      const name = node.id.replace(/-minilm$/, '-<model>');
      expect(rows).toContain(`\`${name}\``);
    }
  });

  it('grants the roles that cdk bootstrap creates, and trusts one repository', () => {
    const [trust, policy] = blocks('json').map((code) => JSON.parse(code));
    expect(policy.Statement[0].Resource).toEqual(
      [
        DefaultStackSynthesizer.DEFAULT_DEPLOY_ROLE_ARN,
        DefaultStackSynthesizer.DEFAULT_FILE_ASSET_PUBLISHING_ROLE_ARN,
        DefaultStackSynthesizer.DEFAULT_LOOKUP_ROLE_ARN,
      ].map((arn) => arn.replaceAll(/\$\{([\w:]+)\}/g, (_, name: keyof typeof PLACEHOLDERS) => PLACEHOLDERS[name])),
    );
    expect(Object.keys(trust.Statement[0].Condition)).toEqual(['StringEquals']);
  });

  it('shows a workflow that deploys with the role of its own environment', () => {
    const workflow = parse(blocks('yaml').find((code) => code.startsWith('# .github')) ?? '');
    expect(Object.keys(workflow.jobs)).toEqual(['diff', 'deploy']);
    expect(workflow.permissions).toEqual({ contents: 'read', 'id-token': 'write' });
    expect(workflow.jobs.deploy.environment).toBe('prod');
    expect(PAGE).toContain(`repo:my-org/my-repo:environment:${workflow.jobs.deploy.environment}`);
  });
});

describe('the costs in docs/deploy.md', () => {
  const usd = (value: number) => `$${value.toFixed(2)}`;
  const { memoryMiB, architecture } = model.manifest.compute;
  const logged = { metrics: 'basic', systemLogLevel: 'INFO' } as const;

  test('are those of a million requests', () => {
    const authorizer = { memoryMiB: FUNCTIONS.authorize.memoryMiB, architecture: 'arm64' } as const;
    const request = { memoryMiB, architecture, computeMs: 10, isProvisioned: false, itemBytes: 1700, authorizer };
    for (const { what, usd: cost } of requestCosts({ ...request, ...logged })) {
      expect(PAGE).toMatch(new RegExp(`^\\| ${what} \\| \\${usd(cost)} \\|`, 'm'));
    }
  });

  test('are those of logs and traces', () => {
    const quiet = { ...logged, systemLogLevel: 'WARN' } as const;
    const { perMonth, perMillionRequests } = tracesUsd();
    for (const cost of [
      logsUsdPerMillionRequests(quiet),
      logsUsdPerMillionRequests({ ...quiet, metrics: 'off' }),
      logsUsdPerMillionJobs(logged),
      logsUsdPerMillionJobs(quiet),
      perMonth,
      perMillionRequests,
    ]) {
      expect(PAGE).toContain(usd(cost));
    }
  });

  test('are those of alarms', () => {
    const { jobs } = stacks.jobs;
    const queues = { mappings: 0, alarms: jobs?.alarms.length ?? 0 };
    const { total } = idleMonthlyUsd([], { queues, alarms: stacks.api.api.deployed.alarms });
    expect(PAGE).toContain(`${usd(total - 0.4)} for a deployment, and $0.40 for each of its models`);
  });
});
