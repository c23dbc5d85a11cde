import { Command } from 'commander';
import { examples, jsonOption, printResult } from './output.ts';

/** Options of `tensorgate model pack`. */
interface PackOptions {
  readonly out?: string;
  readonly json?: boolean;
}

/** Defines `tensorgate model pack`, which converts a model folder to the files that a function's package carries. */
export function modelPackCommand(): Command {
  return new Command('pack')
    .description('Check a model folder, and convert it to the files that a function loads.')
    .argument('<folder>', 'model folder, with its model.yaml')
    .option('-o, --out <folder>', 'where to write model.json, the .ort files and the tokenizer (default: only check)')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples(['tensorgate model pack models/minilm', 'tensorgate model pack models/minilm --out packed']),
    )
    .action(async (folder: string, options: PackOptions) => {
      const { packFolder, renderPacked } = await import('./pack-folder.ts');
      printResult(await packFolder(folder, options.out), options, (packed) => renderPacked(packed, options.out));
    });
}
