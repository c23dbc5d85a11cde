import { describe, expect, it } from '@jest/globals';
import { InferenceApi, renderSynthReport } from '../../../lib/index.ts';
import { packedEmbedding, packedTensor } from '../packed-models.ts';
import { otherStack } from '../synthesized-api.ts';

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
      'metrics (basic): 33 custom metrics, up to $9.90 a month while requests come every hour',
      'logs of requests to models: $0.85 per million requests',
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

  it('says that a deployment without metrics pays for none', () => {
    const api = new InferenceApi(otherStack(), 'Api', { models: [packedTensor()], metrics: 'off' });
    expect(renderSynthReport(api)).toContain('\nmetrics (off): none\n');
  });

  it('aligns its columns', () => {
    const api = new InferenceApi(otherStack(), 'Api', { models: [packedEmbedding('a'), packedTensor('longer-name')] });
    const [head = '', ...rows] = renderSynthReport(api).split('\n').slice(0, 3);
    for (const row of rows) expect(row.indexOf('1769 MiB')).toBe(head.indexOf('memory'));
  });
});
