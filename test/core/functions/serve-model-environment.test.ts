import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  parseServeModelEnvironment,
  renderServeModelEnvironment,
} from '../../../core/functions/serve-model-environment.ts';

const text = fc.string({ minLength: 1 });

describe('the environment of a serve-model function', () => {
  it('is read back as it was rendered', () => {
    const environment = fc.record(
      {
        resultsTable: text,
        siblings: fc.dictionary(
          text.filter((name) => name !== '__proto__'),
          text,
          { noNullPrototype: true },
        ),
        metricsNamespace: text,
        stage: text,
      },
      { requiredKeys: ['siblings', 'metricsNamespace', 'stage'] },
    );
    fc.assert(
      fc.property(environment, (values) => {
        expect(parseServeModelEnvironment(renderServeModelEnvironment(values))).toEqual(values);
      }),
    );
  });

  it('turns the telemetry of onnxruntime off', () => {
    const rendered = renderServeModelEnvironment({ siblings: {}, metricsNamespace: 'n', stage: 's' });
    expect(rendered['ORT_DISABLE_TELEMETRY']).toBe('1');
  });

  it.each(['TENSORGATE_METRICS_NAMESPACE', 'TENSORGATE_STAGE'])(
    'fails with CONFIG_INVALID when %s is missing',
    (name) => {
      const rendered = renderServeModelEnvironment({ siblings: {}, metricsNamespace: 'n', stage: 's' });
      expect(() => parseServeModelEnvironment({ ...rendered, [name]: undefined })).toThrow(
        expect.objectContaining({ code: 'CONFIG_INVALID', message: `environment variable ${name} is not set` }),
      );
    },
  );

  it.each(['{', '[]', 'null', '7', '{"a":1}'])('fails with CONFIG_INVALID when the siblings are %s', (siblings) => {
    const variables = { TENSORGATE_METRICS_NAMESPACE: 'n', TENSORGATE_STAGE: 's', TENSORGATE_SIBLINGS: siblings };
    expect(() => parseServeModelEnvironment(variables)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  });
});
