import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { synthesize } from '../../cli/synthesize.ts';
import { removeFolder, temporaryFolder } from './fixture-app.ts';

let folder: string;

beforeEach(async () => {
  folder = await temporaryFolder();
});

afterEach(() => removeFolder(folder));

async function writeApp(source: string): Promise<void> {
  await writeFile(join(folder, 'app.mjs'), source);
  await writeFile(join(folder, 'cdk.json'), JSON.stringify({ app: 'node app.mjs', context: { colour: 'blue' } }));
}

describe('synthesize', () => {
  it('runs the app of cdk.json on this Node, with its context and the stage', async () => {
    await writeApp(`
      import { mkdirSync, writeFileSync } from 'node:fs';
      mkdirSync(process.env.CDK_OUTDIR);
      writeFileSync(process.env.CDK_OUTDIR + '/seen.json', JSON.stringify({
        node: process.execPath, context: JSON.parse(process.env.CDK_CONTEXT_JSON), cwd: process.cwd(),
      }));`);
    const { assembly } = await synthesize('prod', { projectDirectory: folder, outputDirectory: 'out' });
    const { default: seen } = await import(join(assembly, 'seen.json'), { with: { type: 'json' } });
    expect(assembly).toBe(join(folder, 'out'));
    expect(seen).toMatchObject({
      node: process.execPath,
      context: { colour: 'blue', stage: 'prod', 'tensorgate:local': true },
    });
  });

  it('passes the output of the app on', async () => {
    await writeApp('process.stderr.write("idle: $0\\n");');
    expect(await synthesize('dev', { projectDirectory: folder, outputDirectory: 'out' })).toMatchObject({
      words: 'idle: $0',
    });
  });

  it('returns the warnings of the constructs, each once', async () => {
    await writeApp(`
      import { mkdirSync, writeFileSync } from 'node:fs';
      mkdirSync(process.env.CDK_OUTDIR);
      const warning = { type: 'aws:cdk:warning', data: 'too expensive [ack: Tensorgate:IdleCost]' };
      const origin = { type: 'aws:cdk:creationStack', data: ['app.mjs:1'] };
      writeFileSync(process.env.CDK_OUTDIR + '/A.metadata.json', JSON.stringify({ '/A': [warning, origin], '/A/B': [warning] }));`);
    const { warnings } = await synthesize('dev', { projectDirectory: folder, outputDirectory: 'out' });
    expect(warnings).toEqual(['too expensive']);
  });

  it('fails with LOCAL_START and the words of the app when it fails', async () => {
    await writeApp('process.stderr.write("MANIFEST_INVALID: no such thing\\n"); process.exit(1);');
    await expect(synthesize('dev', { projectDirectory: folder, outputDirectory: 'out' })).rejects.toMatchObject({
      code: 'LOCAL_START',
      message: 'the app does not synthesize (node app.mjs):\nMANIFEST_INVALID: no such thing',
    });
  });

  it('fails with LOCAL_START when there is no cdk.json', async () => {
    await expect(synthesize('dev', { projectDirectory: folder, outputDirectory: 'out' })).rejects.toMatchObject({
      code: 'LOCAL_START',
      message: expect.stringMatching(/^no cdk\.json in .*; run this in the folder of the CDK app$/),
    });
  });

  it.each(['{', '{"context":{}}'])('fails with LOCAL_START when cdk.json is %s', async (text) => {
    await writeFile(join(folder, 'cdk.json'), text);
    await expect(synthesize('dev', { projectDirectory: folder, outputDirectory: 'out' })).rejects.toMatchObject({
      code: 'LOCAL_START',
      message: expect.stringContaining('cdk.json names no app'),
    });
  });
});
