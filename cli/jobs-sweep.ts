import { Command } from 'commander';
import { portOption } from './local-instance.ts';
import { examples, jsonOption, printResult } from './output.ts';
import type { SweepCommandOptions } from './run-sweep.ts';

/**
 * Defines `tensorgate jobs sweep`, which settles jobs and batches whose messages are gone, without waiting for the schedule.
 */
export function jobsSweepCommand(): Command {
  return new Command('sweep')
    .description('Settle jobs and batches whose messages are gone, now instead of at the next scheduled sweep.')
    .option('--function <name>', 'function sweep-records, as the deployment prints it (default: the one of local mode)')
    .addOption(portOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples(['tensorgate jobs sweep', 'tensorgate jobs sweep --function "$SWEEP_FUNCTION" --json']),
    )
    .action(async (options: SweepCommandOptions) => {
      const { renderReport, runSweep } = await import('./run-sweep.ts');
      printResult(await runSweep(options), options, renderReport);
    });
}
