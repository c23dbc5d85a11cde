import { describe, expect, it } from '@jest/globals';
import { CfnFunction } from 'aws-cdk-lib/aws-lambda';
import { parseDeployConfig } from '../../core/config/deploy-config.ts';
import { addDeployment } from '../../lib/index.ts';
import { packedEmbedding, packedTensor } from './packed-models.ts';
import { testApp } from './synthesized-api.ts';

/** The level at which AWS Lambda writes about each function of a deployment, by the path of the function. */
function levelsOf(settings: object): readonly (readonly [string, string | undefined])[] {
  const app = testApp();
  const config = parseDeployConfig(settings, 'test');
  const models = [packedEmbedding('one'), packedTensor()];
  addDeployment(app, { config, configFile: 'config/test.yaml', stageName: 'test', models, env: {} });
  return app.node
    .findAll()
    .filter((node) => node instanceof CfnFunction)
    .map((fn) => [fn.node.path, (fn.loggingConfig as CfnFunction.LoggingConfigProperty).systemLogLevel]);
}

describe('systemLogLevel', () => {
  it('is WARN for every function if the configuration says so', () => {
    const levels = levelsOf({ systemLogLevel: 'WARN' });
    expect(levels.length).toBeGreaterThan(10);
    expect(levels.filter(([, level]) => level !== 'WARN')).toEqual([]);
  });

  it('is WARN by default for the functions only whose lines would say nothing new', () => {
    const quiet = levelsOf({}).filter(([, level]) => level !== undefined);
    expect(quiet.map(([path]) => path)).toEqual([
      expect.stringMatching(/sweep-records/),
      expect.stringMatching(/authorize/),
    ]);
  });
});
