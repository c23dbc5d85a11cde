import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { readDeployConfig } from '../../../lib/index.ts';
import { temporaryDirectory } from '../packed-models.ts';

function writeConfig(files: Readonly<Record<string, string>>): string {
  const directory = temporaryDirectory();
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  return directory;
}

describe('readDeployConfig', () => {
  it.each(['dev', 'prod'])('reads the committed stage %s', (stage) => {
    expect(Object.keys(readDeployConfig(stage).usagePlans)).toEqual(['free', 'pro', 'internal']);
  });

  it('fills in every default when the file is empty', () => {
    expect(readDeployConfig('dev', writeConfig({ 'dev.yaml': '' }))).toMatchObject({
      logRetentionDays: 30,
      minimumCompressionBytes: 1024,
      retainData: true,
    });
  });

  it.each(['feature_x', 'UPPER', 'v1.2', '../dev', '1st', 'x'.repeat(32)])(
    'fails with the rule of stage names when it gets %s, also if the file exists',
    (stage) => {
      const directory = writeConfig({ 'dev.yaml': '', 'feature_x.yaml': '', 'UPPER.yaml': '', 'v1.2.yaml': '' });
      expect(() => readDeployConfig(stage, directory)).toThrow(
        expect.objectContaining({
          code: 'CONFIG_INVALID',
          message: `the name of a stage must be lowercase letters, digits and hyphens, a letter first, up to 31 characters, got ${JSON.stringify(stage)}: rename the file in ${directory}/, and use -c stage=<name>`,
        }),
      );
    },
  );

  it.each(['other', 'prod'])('fails with CONFIG_INVALID and the stages that exist when it gets %s', (stage) => {
    const directory = writeConfig({ 'dev.yaml': '', 'beta.yaml': '', 'notes.txt': '' });
    expect(() => readDeployConfig(stage, directory)).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        message: `unknown stage ${JSON.stringify(stage)}, known: beta, dev`,
      }),
    );
  });

  it('fails with CONFIG_INVALID when there is no configuration at all', () => {
    expect(() => readDeployConfig('dev', join(temporaryDirectory(), 'absent'))).toThrow('no .yaml file is in');
  });

  it('fails with CONFIG_INVALID and every problem when the file is wrong', () => {
    const directory = writeConfig({ 'dev.yaml': 'tracing: perhaps\nlogRetentionDays: 2\nunknown: 1\n' });
    expect(() => readDeployConfig('dev', directory)).toThrow(/dev\.yaml has 3 problems/);
  });
});
