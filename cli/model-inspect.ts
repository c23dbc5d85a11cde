import { Command } from 'commander';
import { examples } from './output.ts';

/** `tensorgate model inspect`: says what an ONNX file consists of. */
export function modelInspectCommand(): Command {
  return new Command('inspect')
    .description('Show inputs, outputs, operators and sizes of an ONNX model.')
    .argument('<model>', 'ONNX file')
    .addHelpText('after', examples(['tensorgate model inspect models/minilm/1/model.onnx']))
    .action(async (model: string) => {
      const { inspectFile } = await import('./inspect-file.ts');
      process.stdout.write(inspectFile(model));
    });
}
