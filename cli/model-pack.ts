import { Command } from 'commander';

/** `tensorgate model pack`: makes of a model folder what a function's package carries. */
export function modelPackCommand(): Command {
  return new Command('pack')
    .description('Check a model folder and convert it to what a function loads.')
    .argument('<folder>', 'model folder, with its model.yaml')
    .requiredOption('-o, --out <folder>', 'where to write model.json, the .ort files and the tokenizer')
    .action(async (folder: string, { out }: { readonly out: string }) => {
      const { packFolder } = await import('./pack-folder.ts');
      process.stdout.write(await packFolder(folder, out));
    });
}
