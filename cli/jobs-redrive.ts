import { Command, InvalidArgumentError } from 'commander';
import { ERRORS } from '../core/errors.ts';
import { portOption } from './local-instance.ts';
import { examples, jsonOption, printResult } from './output.ts';
import type { RedriveCommandOptions } from './run-redrive.ts';

/** Defines `tensorgate jobs redrive`, which returns dead letters to their queues. */
export function jobsRedriveCommand(): Command {
  return new Command('redrive')
    .description('Put dead letters back to the queues that they came from, once the cause is gone.')
    .option('--queue-url <url>', 'dead-letter queue, as the deployment prints it (default: the one of local mode)')
    .option('--jobs-table <name>', 'jobs table, as the deployment prints it: messages without effect are left alone')
    .addOption(portOption())
    .option('--code <code>', 'only those with this error code, such as WORKER_LOST', errorCode)
    .option('--limit <number>', 'maximum number of messages to redrive', wholeNumber)
    .option('--dry-run', 'list the messages and change nothing', false)
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples([
        'tensorgate jobs redrive --dry-run',
        'tensorgate jobs redrive --queue-url "$DEAD_LETTERS_URL" --jobs-table "$JOBS_TABLE"',
        'tensorgate jobs redrive --queue-url "$DEAD_LETTERS_URL" --code WORKER_LOST --limit 100',
      ]),
    )
    .action(async (options: RedriveCommandOptions) => {
      const { renderCounts, runRedrive } = await import('./run-redrive.ts');
      printResult(await runRedrive(options), options, (counts) => renderCounts(counts, options));
    });
}

function errorCode(text: string): string {
  if (Object.hasOwn(ERRORS, text)) return text;
  throw new InvalidArgumentError(`Known codes are ${Object.keys(ERRORS).sort().join(', ')}.`);
}

function wholeNumber(text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number > 0) return number;
  throw new InvalidArgumentError('It must be a whole number from 1.');
}
