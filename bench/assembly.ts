import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { planAssembly } from '../local/template/plan.ts';
import type { FunctionPlan } from '../local/template/plan-functions.ts';
import { readAssembly } from '../local/template/read-assembly.ts';
import { MODEL_ID, REPOSITORY, WORK_DIRECTORY } from './repository.ts';

/** The synthesized app of this checkout. */
export interface Assembly {
  readonly directory: string;
  /** The function of the model that is measured. */
  readonly plan: FunctionPlan;
}

/** Synthesizes the app of this checkout into a folder of the bench. */
export async function synthesize(): Promise<Assembly> {
  const directory = join(WORK_DIRECTORY, 'cdk.out');
  execFileSync(process.execPath, [join(REPOSITORY, 'bin/app.ts')], {
    cwd: REPOSITORY,
    env: { ...process.env, CDK_OUTDIR: directory, CDK_CONTEXT_JSON: JSON.stringify({ stage: 'bench' }) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const { functions } = planAssembly(await readAssembly(directory));
  // The model's worker of jobs has its name, too.
  const plan = functions.find(({ name }) => name.includes(MODEL_ID) && !/run-?jobs/i.test(name)) ?? functions[0];
  if (plan === undefined) throw new Error('the synthesized app must contain a function, it holds none');
  return { directory, plan };
}
