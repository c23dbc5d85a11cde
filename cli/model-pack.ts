import { Command, CommanderError } from 'commander';
import { AppError } from '../core/errors.ts';

/** Options of `tensorgate model pack`. */
interface PackOptions {
  readonly out: string;
  readonly json?: boolean;
}

/** `tensorgate model pack`: converts a model folder to the files that a function's package carries. */
export function modelPackCommand(): Command {
  return new Command('pack')
    .description('Check a model folder and convert it to what a function loads.')
    .argument('<folder>', 'model folder, with its model.yaml')
    .requiredOption('-o, --out <folder>', 'where to write model.json, the .ort files and the tokenizer')
    .option('--json', 'print the packed model, or {"error": {"code", "message"}}, as JSON')
    .action((folder: string, { out, json }: PackOptions) =>
      json === true ? packAsJson(folder, out) : pack(folder, out),
    );
}

async function pack(folder: string, out: string): Promise<void> {
  const { packFolder } = await import('./pack-folder.ts');
  process.stdout.write(await packFolder(folder, out));
}

/** @throws CommanderError with the exit code, after the error is printed. */
async function packAsJson(folder: string, out: string): Promise<void> {
  const { packModel } = await import('../onnx/pack/pack-model.ts');
  try {
    process.stdout.write(`${JSON.stringify(await packModel(folder, out))}\n`);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    const { code, message } = error;
    process.stdout.write(`${JSON.stringify({ error: { code, message } })}\n`);
    throw new CommanderError(1, code, message);
  }
}
