import { Command } from 'commander';
import type { InitArguments } from './init-folder.ts';
import { examples, jsonOption, printResult } from './output.ts';

/** Defines `tensorgate model init`, which writes the manifest of a model folder. */
export function modelInitCommand(): Command {
  return new Command('init')
    .description('Write a model.yaml for a folder with an ONNX file: task, hash and limits are found in its files.')
    .argument('<folder>', 'folder whose name becomes the id of the model, such as models/my-model')
    .option('--weights <file>', 'ONNX file inside the folder, if it holds several')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples([
        'tensorgate model init models/my-model',
        'tensorgate model init models/my-model --weights 1/model.onnx',
      ]),
    )
    .action(async (folder: string, options: InitArguments & { readonly json?: boolean }) => {
      const { initFolder, renderInitialized } = await import('./init-folder.ts');
      printResult(await initFolder(folder, options), options, renderInitialized);
    });
}
