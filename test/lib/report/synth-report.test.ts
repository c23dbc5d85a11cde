import { describe, expect, it } from '@jest/globals';
import { Stack } from 'aws-cdk-lib';
import { InferenceApi, Jobs, renderSynthReport } from '../../../lib/index.ts';
import { packedEmbedding, packedTensor } from '../packed-models.ts';
import { otherStack, testApp } from '../synthesized-api.ts';

describe('renderSynthReport', () => {
  it('shows sizes, cost while idle and when the table pays', () => {
    const models = [
      packedEmbedding('warm', { compute: { target: 'lambda', provisioned: { min: 2 } } }),
      packedEmbedding('light', { cache: { store: 'memory' } }),
      packedTensor(),
    ];
    const lines = renderSynthReport(new InferenceApi(otherStack(), 'Api', { models })).split('\n');
    expect(lines).toEqual([
      expect.stringMatching(/^function +memory +code +onnxruntime +model +total$/),
      expect.stringMatching(/^warm +1769 MiB x86_64 .* MB$/),
      expect.stringMatching(/^light /),
      expect.stringMatching(/^adder /),
      expect.stringMatching(/^authorize +512 MiB arm64 /),
      expect.stringMatching(/^hash-keys +512 MiB arm64 /),
      expect.stringMatching(/^while idle: \$\d+\.\d\d a month$/),
      expect.stringMatching(/^ {2}provisioned concurrency, 2 x 1769 MiB x86_64: \$/),
      expect.stringMatching(/^ {2}alarms of target tracking, 2: \$/),
      'prices of us-east-1, 2026-11, without free tiers and data transfer',
      'metrics (basic): 33 custom metrics, up to $9.90 a month while requests come every hour',
      'logs of requests to models: $0.87 per million requests, $0.63 with systemLogLevel: WARN',
      expect.stringMatching(
        /^a million requests to warm whose results are not cached: \$\d\.\d\d if computing takes 10 ms, /,
      ),
      expect.stringMatching(
        /^ {2}10 ms: API Gateway \$3\.50, authorizer \$0\.21, Lambda \$0\.\d\d, results table \$\d\.\d\d, logs \$0\.87$/,
      ),
      'a million requests to light whose results are not cached: $5.08 if computing takes 10 ms, $6.23 if computing takes 50 ms',
      '  10 ms: API Gateway $3.50, authorizer $0.21, Lambda $0.49, logs $0.87',
      expect.stringMatching(/^a million requests to adder /),
      expect.stringMatching(/^ {2}10 ms: /),
      'keys by bearer, x-api-key: $0.21 per million requests, because each one calls the authorizer',
      '  by bearer: up to $0.21 per million requests; a key calls the authorizer once in 5 minutes',
      '  by x-api-key: $0.00 per million requests, because there is no authorizer',
      expect.stringMatching(/^results table of warm saves money from \d+ % hits on when computing takes 10 ms, from/),
      '',
    ]);
  });

  it('lists the keys of each configured tenant', () => {
    const tenants = { acme: { plan: 'pro', keys: ['k2025', 'k2026'] } };
    const report = renderSynthReport(new InferenceApi(otherStack(), 'Api', { models: [packedTensor()], tenants }));
    expect(report).toContain('keys of the tenant acme, plan pro: k2025, k2026\n');
  });

  it('reports that a deployment without metrics pays for none', () => {
    const api = new InferenceApi(otherStack(), 'Api', { models: [packedTensor()], metrics: 'off' });
    expect(renderSynthReport(api)).toContain('\nmetrics (off): none\n');
  });

  it('names the region of its prices, and warns that those of another region differ', () => {
    const stack = new Stack(testApp(), 'Test', { env: { account: '111111111111', region: 'eu-central-1' } });
    const report = renderSynthReport(new InferenceApi(stack, 'Api', { models: [packedTensor()] }));
    expect(report).toContain(
      'prices of us-east-1, 2026-11, without free tiers and data transfer; this deployment is in eu-central-1, where prices differ: https://calculator.aws\n',
    );
  });

  it('prices logs, traces and requests as the settings have them', () => {
    const settings = { metrics: 'off', systemLogLevel: 'WARN', tracing: true, auth: { accept: 'x-api-key' } } as const;
    const model = packedEmbedding('light', { cache: { store: 'memory' } });
    const report = renderSynthReport(new InferenceApi(otherStack(), 'Api', { models: [model], ...settings }));
    expect(report).toContain('\nlogs of requests to models: $0.43 per million requests\n');
    expect(report).toContain('\ntraces: up to $13.14 a month for one each second, and $0.25 per million requests\n');
    expect(report).toContain('\n  10 ms: API Gateway $3.50, Lambda $0.49, logs $0.43\n');
  });

  it('prices the logs of jobs if there are jobs', () => {
    const stack = otherStack();
    const models = [packedTensor()];
    const jobs = new Jobs(stack, 'Jobs', { models });
    expect(renderSynthReport(new InferenceApi(stack, 'Api', { models, jobs }))).toMatch(
      /\nlogs of jobs: \$1\.37 per million jobs, \$0\.88 with systemLogLevel: WARN\n/,
    );
  });

  it('aligns its columns', () => {
    const api = new InferenceApi(otherStack(), 'Api', { models: [packedEmbedding('a'), packedTensor('longer-name')] });
    const [head = '', ...rows] = renderSynthReport(api).split('\n').slice(0, 3);
    for (const row of rows) expect(row.indexOf('1769 MiB')).toBe(head.indexOf('memory'));
  });
});
