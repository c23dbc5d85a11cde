import { Command } from 'commander';
import { examples, jsonOption, printResult } from './output.ts';

/** Options of `tensorgate model inspect`. */
interface InspectOptions {
  readonly nodes?: boolean;
  readonly json?: boolean;
}

/** Defines `tensorgate model inspect`, which shows the contents of an ONNX file. */
export function modelInspectCommand(): Command {
  return new Command('inspect')
    .description('Show inputs, outputs, operators, weights and metadata of an ONNX model.')
    .argument('<model>', 'ONNX file')
    .option('--nodes', 'list every node with its name')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples([
        'tensorgate model inspect models/minilm/1/model.onnx',
        'tensorgate model inspect models/minilm/1/model.onnx --json',
      ]),
    )
    .action(async (model: string, options: InspectOptions) => {
      const { inspectFile, renderInspection } = await import('./inspect-file.ts');
      printResult(inspectFile(model), options, (inspection) => renderInspection(inspection, options.nodes === true));
    });
}
