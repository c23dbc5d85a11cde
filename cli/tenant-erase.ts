import { Command } from 'commander';
import { portOption } from './local-instance.ts';
import { examples, jsonOption, printResult } from './output.ts';
import type { EraseCommandOptions } from './run-erase.ts';

/** Defines `tensorgate tenant erase`, which deletes everything that belongs to a tenant. */
export function tenantEraseCommand(): Command {
  return new Command('erase')
    .description('Delete the jobs, files, batches, webhooks, secrets and usage of a tenant. Remove its keys first.')
    .argument('<tenant>', 'id of the tenant, or of an API key that is a tenant of its own')
    .option(
      '--jobs-table <name>',
      'table of records; output JobsTable of the data stack (default: the one of local mode)',
    )
    .option('--webhooks-table <name>', 'table of webhooks; output WebhooksTable')
    .option('--results-table <name>', 'table of cached results; output ResultsTable')
    .option('--payload-bucket <name>', 'bucket of inputs, results and files; output PayloadBucket')
    .addOption(portOption())
    .option('--dry-run', 'count what belongs to the tenant and change nothing', false)
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples([
        'tensorgate tenant erase acme --dry-run',
        'tensorgate tenant erase acme --jobs-table "$JOBS_TABLE" --webhooks-table "$WEBHOOKS_TABLE" --results-table "$RESULTS_TABLE" --payload-bucket "$PAYLOAD_BUCKET"',
      ]),
    )
    .action(async (tenant: string, options: EraseCommandOptions) => {
      const { renderErasure, runErase } = await import('./run-erase.ts');
      printResult(await runErase(tenant, options), options, renderErasure);
    });
}
