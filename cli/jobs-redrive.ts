import { Command } from 'commander';
import type { RedriveCommandOptions } from './run-redrive.ts';

/** `tensorgate jobs redrive`: puts dead letters back to the queues that they came from. */
export function jobsRedriveCommand(): Command {
  return new Command('redrive')
    .description('Put dead letters back to the queues that they came from, once the cause is gone.')
    .option('--queue-url <url>', 'dead-letter queue, as the deployment prints it (default: the one of local mode)')
    .option('--code <code>', 'only those with this error code, as WORKER_LOST')
    .option('--limit <number>', 'maximum number of messages to redrive')
    .option('--dry-run', 'list the messages and change nothing', false)
    .action(async (options: RedriveCommandOptions) => {
      const { runRedrive } = await import('./run-redrive.ts');
      process.stdout.write(await runRedrive(options));
    });
}
