import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { delimiter, dirname, join, resolve } from 'node:path';
import * as v from 'valibot';
import { LOCAL_CONTEXT } from '../core/config/local-context.ts';
import { AppError } from '../core/errors.ts';

const cdkJsonSchema = v.object({
  app: v.string('must be the command that runs the CDK app'),
  context: v.optional(v.record(v.string(), v.unknown()), {}),
});

/** `<stack>.metadata.json` of an assembly: entries by the path of their construct. */
const metadataSchema = v.record(v.string(), v.array(v.object({ type: v.string(), data: v.optional(v.unknown()) })));

/** Where an app is and where its assembly goes. */
export interface SynthesisFolders {
  /** Folder of `cdk.json`. */
  readonly projectDirectory: string;
  /** Folder for the assembly, relative to the project's; what it holds is replaced. */
  readonly outputDirectory: string;
}

/** Outcome of a synthesis. */
export interface Synthesis {
  /** Absolute folder of the assembly. */
  readonly assembly: string;
  /** Output of the app. */
  readonly words: string;
  /** Warnings that the app's constructs gave, each once. */
  readonly warnings: readonly string[];
}

/**
 * Synthesizes a CDK app as its `cdk.json` says, but without the CDK command: no network, no account.
 *
 * @param stage - Value of the context key `stage`.
 * @throws AppError `LOCAL_START` when there is no app, or with the app's own words when it fails.
 */
export async function synthesize(stage: string, folders: SynthesisFolders): Promise<Synthesis> {
  const { app, context } = await readCdkJson(folders.projectDirectory);
  const assembly = resolve(folders.projectDirectory, folders.outputDirectory);
  await rm(assembly, { recursive: true, force: true });
  await mkdir(dirname(assembly), { recursive: true });
  const child = spawn(app, {
    shell: true,
    cwd: folders.projectDirectory,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      // The app says `node`: this very Node, whatever the machine has.
      PATH: `${dirname(process.execPath)}${delimiter}${process.env['PATH'] ?? ''}`,
      CDK_OUTDIR: assembly,
      CDK_CONTEXT_JSON: JSON.stringify({ ...context, stage, [LOCAL_CONTEXT]: true }),
      // The rules of CloudFormation take more than half of the time; `npm run synth` and the tests apply them.
      CDK_VALIDATION: 'false',
    },
  });
  const said: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => said.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => said.push(chunk));
  const [code] = (await once(child, 'close')) as [number | null];
  const words = Buffer.concat(said).toString().trim();
  if (code !== 0) throw new AppError('LOCAL_START', `the app does not synthesize (${app}):\n${words}`);
  return { assembly, words, warnings: await readWarnings(assembly) };
}

/** Reads the warnings that constructs have added to an assembly with `Annotations`. */
async function readWarnings(assembly: string): Promise<string[]> {
  const names = await readdir(assembly).catch(() => []);
  const files = names.filter((name) => name.endsWith('.metadata.json'));
  const documents = await Promise.all(files.map((name) => readFile(join(assembly, name), 'utf8')));
  const entries = documents.flatMap((text) => Object.values(v.parse(metadataSchema, JSON.parse(text)))).flat();
  const warnings = entries.flatMap(({ type, data }) =>
    type === 'aws:cdk:warning' && typeof data === 'string' ? [data.replace(/ \[ack: [^\]]+\]$/, '')] : [],
  );
  return [...new Set(warnings)];
}

async function readCdkJson(directory: string): Promise<v.InferOutput<typeof cdkJsonSchema>> {
  let text: string;
  try {
    text = await readFile(join(directory, 'cdk.json'), 'utf8');
  } catch (cause) {
    throw new AppError('LOCAL_START', `no cdk.json in ${directory}; run this in the folder of the CDK app`, { cause });
  }
  try {
    return v.parse(cdkJsonSchema, JSON.parse(text));
  } catch (cause) {
    throw new AppError('LOCAL_START', 'cdk.json names no app; it must contain {"app": "<command that synthesizes>"}', {
      cause,
    });
  }
}
