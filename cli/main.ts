import { Command, CommanderError } from 'commander';
import type { AppError } from '../core/errors.ts';
import { toCommandError } from './command-error.ts';
import { EXIT_CODES, exitCodeOf, renderExitCodes } from './exit-code.ts';
import { jobsRedriveCommand } from './jobs-redrive.ts';
import { jobsSweepCommand } from './jobs-sweep.ts';
import { modelGpuWeightsCommand } from './model-gpu-weights.ts';
import { modelInitCommand } from './model-init.ts';
import { modelInspectCommand } from './model-inspect.ts';
import { modelPackCommand } from './model-pack.ts';
import { modelQuantizeCommand } from './model-quantize.ts';
import { examples } from './output.ts';
import { planCommand } from './plan.ts';
import { startCommand } from './start.ts';
import { tenantEraseCommand } from './tenant-erase.ts';
import { readVersion } from './version.ts';

/**
 * Runs the `tensorgate` command line.
 *
 * @param argv - Arguments as in `process.argv`, the first two being the runtime and the script.
 * @returns The exit code, one of {@link EXIT_CODES}.
 */
export async function runCommandLine(argv: readonly string[]): Promise<number> {
  const asJson = argv.includes('--json');
  try {
    await program(asJson).parseAsync(argv);
    return EXIT_CODES.done.code;
  } catch (error) {
    if (error instanceof CommanderError) return reportUsage(error, asJson);
    const known = toCommandError(error);
    printError(known, asJson);
    return exitCodeOf(known.code);
  }
}

/** Returns the command line with all commands. */
export function program(asJson = false): Command {
  const root = new Command('tensorgate');
  root
    .description('Turn a folder of ONNX models into an AI API, on this machine and in an AWS account.')
    .version(readVersion(), '-V, --version', 'print the version')
    // Without this, the root would take an option `--version` that belongs to a command.
    .enablePositionalOptions()
    .addHelpText('after', examples(['tensorgate start', 'tensorgate model inspect model.onnx']))
    .addHelpText('after', renderExitCodes());
  root.addCommand(startCommand());
  root.addCommand(planCommand());
  const model = root.command('model').description('Prepare and inspect models.');
  model.addCommand(modelInitCommand());
  model.addCommand(modelGpuWeightsCommand());
  model.addCommand(modelInspectCommand());
  model.addCommand(modelPackCommand());
  model.addCommand(modelQuantizeCommand());
  const jobs = root.command('jobs').description('Manage jobs.');
  jobs.addCommand(jobsRedriveCommand());
  jobs.addCommand(jobsSweepCommand());
  const tenant = root.command('tenant').description('Manage the data of tenants.');
  tenant.addCommand(tenantEraseCommand());
  for (const command of [root, ...root.commands, ...model.commands, ...jobs.commands, ...tenant.commands]) {
    command.exitOverride().showHelpAfterError('(--help shows options and examples)');
    if (asJson) command.configureOutput({ writeErr: () => undefined });
  }
  return root;
}

/** Reports an error of commander, which has printed its message itself unless JSON is asked for. */
function reportUsage({ exitCode, code, message }: CommanderError, asJson: boolean): number {
  if (exitCode === 0) return EXIT_CODES.done.code;
  if (asJson && code !== 'commander.help') {
    printJsonError('INVALID_PARAMETER', message.replace(/^error: /, ''));
  }
  return EXIT_CODES.usage.code;
}

function printError({ code, message, cause }: AppError, asJson: boolean): void {
  if (asJson) printJsonError(code, message);
  else process.stderr.write(`${code}: ${message}\n`);
  // A fault of this program is reported by its stack; nothing else is.
  if (code === 'INTERNAL' && cause instanceof Error) process.stderr.write(`${cause.stack}\n`);
}

function printJsonError(code: string, message: string): void {
  process.stdout.write(`${JSON.stringify({ error: { code, message } })}\n`);
}
