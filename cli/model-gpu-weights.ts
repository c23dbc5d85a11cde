import { Command, Option } from 'commander';
import type { GpuWeightsArguments } from './gpu-weights-file.ts';
import { examples } from './output.ts';

/** Defines `tensorgate model gpu-weights`, which converts weights for CPUs to a file for GPUs, and reports the changes. */
export function modelGpuWeightsCommand(): Command {
  const precision = new Option('--precision <name>', 'precision of the floats inside the file');
  return new Command('gpu-weights')
    .description('Turn the weights of a model folder into an ONNX file for GPUs, measured against them.')
    .argument('<folder>', 'model folder, with its model.yaml')
    .option('--version <number>', 'version of the model (default: the highest)')
    .addOption(precision.choices(['fp16', 'fp32']).default('fp16'))
    .option('-o, --out <file>', 'where to write the file (default: model.fp16.onnx in the folder of the weights)')
    .addHelpText('after', examples(['tensorgate model gpu-weights models/minilm --out model.fp16.onnx']))
    .action(async (folder: string, options: GpuWeightsArguments) => {
      const { gpuWeightsFile } = await import('./gpu-weights-file.ts');
      process.stdout.write(await gpuWeightsFile(folder, options));
    });
}
