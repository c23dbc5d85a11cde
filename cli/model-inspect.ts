import { Command } from 'commander';

/** `tensorgate model inspect`: says what an ONNX file consists of. */
export function modelInspectCommand(): Command {
  return new Command('inspect')
    .description('Show inputs, outputs, operators and sizes of an ONNX model.')
    .argument('<model>', 'ONNX file')
    .action(async (model: string) => {
      const { inspectFile } = await import('./inspect-file.ts');
      process.stdout.write(inspectFile(model));
    });
}
