import { Command, InvalidArgumentError } from 'commander';
import { examples, jsonOption, printResult } from './output.ts';
import type { PlanOptions } from './plan-load.ts';

function positive(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value) && value > 0) return value;
  throw new InvalidArgumentError('must be a number above 0');
}

/** Defines `tensorgate plan`, which shows where a load is cheaper: on functions or on a GPU endpoint. */
export function planCommand(): Command {
  return new Command('plan')
    .description('Compare what a load costs on AWS Lambda and on a SageMaker GPU endpoint.')
    .argument('<folder>', 'model folder, with its model.yaml')
    .requiredOption('--rps <number>', 'requests a second, around the clock', positive)
    .requiredOption('--tokens <number>', 'tokens of a request, over all of its texts', positive)
    .option('--p95-ms <number>', 'time within which 95 of 100 requests must be answered', positive)
    .option('--instance-type <type>', 'SageMaker instance type; defaults to the one of the manifest, or ml.g5.xlarge')
    .option('--memory-mib <number>', "memory of the function; defaults to the manifest's", positive)
    .option('--cpu-ms <number>', 'milliseconds of a request on the function, where you measured them', positive)
    .option('--gpu-ms <number>', 'milliseconds of GPU time of a request, where you measured them', positive)
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples([
        'tensorgate plan models/minilm --rps 50 --tokens 128',
        'tensorgate plan models/minilm --rps 50 --tokens 128 --p95-ms 100 --cpu-ms 17 --json',
      ]),
    )
    .action(async (folder: string, options: PlanOptions) => {
      const { planLoad, renderPlan } = await import('./plan-load.ts');
      printResult(await planLoad(folder, options), options, (plan) => renderPlan(plan, options));
    });
}
