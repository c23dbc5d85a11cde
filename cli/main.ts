import { Command, CommanderError } from 'commander';
import { AppError } from '../core/errors.ts';
import { jobsRedriveCommand } from './jobs-redrive.ts';
import { modelGpuWeightsCommand } from './model-gpu-weights.ts';
import { modelInspectCommand } from './model-inspect.ts';
import { modelPackCommand } from './model-pack.ts';
import { modelQuantizeCommand } from './model-quantize.ts';
import { planCommand } from './plan.ts';
import { startCommand } from './start.ts';

/**
 * Runs the `tensorgate` command line.
 *
 * @param argv - Arguments as in `process.argv`, the first two being the runtime and the script.
 * @returns The exit code: 0 on success, 1 when the command failed or its arguments are wrong.
 */
export async function runCommandLine(argv: readonly string[]): Promise<number> {
  try {
    await program().parseAsync(argv);
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode;
    if (!(error instanceof AppError)) throw error;
    process.stderr.write(`${error.code}: ${error.message}\n`);
    return 1;
  }
}

function program(): Command {
  const root = new Command('tensorgate');
  root
    .description('Turn a folder of ONNX models into an AI API, on this machine and in an AWS account.')
    .showHelpAfterError();
  root.addCommand(startCommand());
  root.addCommand(planCommand());
  const model = root.command('model').description('Prepare and inspect models.');
  model.addCommand(modelGpuWeightsCommand());
  model.addCommand(modelInspectCommand());
  model.addCommand(modelPackCommand());
  model.addCommand(modelQuantizeCommand());
  const jobs = root.command('jobs').description('Manage jobs.');
  jobs.addCommand(jobsRedriveCommand());
  for (const command of [root, ...root.commands, ...model.commands, ...jobs.commands]) command.exitOverride();
  return root;
}
