/**
 * Synthesizes the app of this repository in many variants and has independent tools judge the outcome: cfn-lint the
 * templates, parliament and cloudsplaining the IAM policies. The rules of the CDK apply at each synthesis.
 *
 * Usage: npm run lint:templates
 * It installs the tools from PyPI into a virtual environment. Without Python it prints a line and does nothing.
 */
import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { Project } from '../app/project.ts';
import { withPython } from '../python/environment.ts';
import { policiesOf } from './policies.ts';
import { VARIANTS, type Variant } from './variants.ts';

const ROOT = join(import.meta.dirname, '../..');

/**
 * Rules of cfn-lint that do not apply:
 *
 * - W3005: the CDK writes a dependency on a resource although a reference implies it. It has no effect.
 * - I1022: the CDK writes `Fn::Join` where a person would write `Fn::Sub`.
 * - I4010: it asks for metadata that describes the architecture to language models.
 */
const IGNORED_RULES = ['W3005', 'I1022', 'I4010'];

/** Synthesizes and judges every variant; returns the exit code. */
async function lint(python: string): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'tensorgate-templates-'));
  try {
    let failed = 0;
    for (const [index, [name, variant]] of Object.entries(VARIANTS).entries()) {
      const assembly = await synthesize(join(folder, String(index)), variant);
      const templates = await templatesIn(assembly);
      const isClean = lintTemplates(python, templates, variant) && (await checkPolicies(python, assembly));
      console.log(`${isClean ? 'clean' : 'FINDINGS'}: ${name} (${templates.length} templates)`);
      if (!isClean) failed += 1;
    }
    console.log(`${Object.keys(VARIANTS).length} variants, ${failed} with findings`);
    return failed === 0 ? 0 : 1;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Synthesizes a variant; returns the folder of its assembly. */
async function synthesize(folder: string, { stage = 'dev', change }: Variant): Promise<string> {
  const project = await Project.create(folder);
  await change?.(project);
  const assembly = join(folder, 'cdk.out');
  await promisify(execFile)(process.execPath, [join(ROOT, 'bin/app.ts')], {
    cwd: folder,
    env: { ...process.env, CDK_OUTDIR: assembly, CDK_CONTEXT_JSON: JSON.stringify({ stage }) },
  });
  return assembly;
}

/** Templates of an assembly. CloudFormation never receives a template without resources: the CDK command skips it. */
async function templatesIn(assembly: string): Promise<string[]> {
  const names = (await readdir(assembly)).filter((name) => name.endsWith('.template.json'));
  const paths = names.map((name) => join(assembly, name));
  const documents = await Promise.all(
    paths.map(async (path) => JSON.parse(await readFile(path, 'utf8')) as { Resources?: object }),
  );
  return paths.filter((_, index) => documents[index]?.Resources !== undefined);
}

function lintTemplates(python: string, templates: readonly string[], { regions = ['us-east-1'] }: Variant): boolean {
  const command = join(dirname(python), 'cfn-lint');
  const rules = ['--include-checks', 'I', '--include-experimental', '--ignore-checks', ...IGNORED_RULES];
  return succeeds(command, [...rules, '--regions', ...regions, '--', ...templates]);
}

async function checkPolicies(python: string, assembly: string): Promise<boolean> {
  const file = join(assembly, 'policies.json');
  await writeFile(file, JSON.stringify(await policiesOf(assembly)));
  return succeeds(python, [join(import.meta.dirname, 'check_policies.py'), file]);
}

/** Runs a command with its output on this terminal. */
function succeeds(command: string, args: readonly string[]): boolean {
  return spawnSync(command, args, { stdio: 'inherit' }).status === 0;
}

process.exitCode = (await withPython(join(import.meta.dirname, 'requirements.txt'), lint)) ?? 0;
