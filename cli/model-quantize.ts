import { Command, InvalidArgumentError, Option } from 'commander';
import { examples } from './output.ts';
import type { QuantizeArguments } from './quantize-file.ts';

function wholeNumber(value: string): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < 2) throw new InvalidArgumentError('must be a whole number from 2 on.');
  return number;
}

function share(value: string): number {
  const number = Number(value);
  if (value.trim() === '' || !(number >= 0 && number <= 1)) throw new InvalidArgumentError('must be from 0 to 1.');
  return number;
}

function collect(value: string, earlier: readonly string[]): string[] {
  return [...earlier, value];
}

/** `tensorgate model quantize`: makes an 8-bit model and says what it cost. */
export function modelQuantizeCommand(): Command {
  const schemes = new Option('--scheme <name>', 'how to quantize; auto measures all and picks the fastest that passes');
  return new Command('quantize')
    .description('Make an 8-bit copy of an ONNX model, measured against the original.')
    .argument('<model>', 'ONNX file, operator set 13 or later')
    .requiredOption('-o, --out <file>', 'where to write the quantized model')
    .option('-i, --inputs <file>', 'JSON list of texts, or of {"inputs": […]} requests, to calibrate and measure with')
    .option('-t, --tokenizer <file>', 'tokenizer.json, when the inputs are texts')
    .option('--max-tokens <count>', 'cut texts after this many tokens (default: what the tokenizer says)', wholeNumber)
    .addOption(schemes.choices(['auto', 'static', 'static-smooth', 'dynamic', 'weight-only']).default('auto'))
    .option('--exclude-node <name>', 'leave this node in floating point; may be repeated', collect, [])
    .option('--exclude-type <operator>', 'leave operators of this type in floating point; may be repeated', collect, [])
    .option('--reduce-range', 'use 7 bits for weights, for x86 processors without VNNI', false)
    .option(
      '--min-cosine <share>',
      'for texts: least average cosine to the original; each may lose twice that',
      share,
      0.99,
    )
    .addOption(
      new Option('--prefer <what>', 'what decides among the schemes that pass; the others break ties')
        .choices(['speed', 'size', 'accuracy'])
        .default('speed'),
    )
    .option('--max-error <share>', 'for tensors: greatest average error, relative to the largest output', share, 0.02)
    .addHelpText(
      'after',
      examples([
        'tensorgate model quantize model.onnx --out model.int8.onnx --scheme dynamic',
        'tensorgate model quantize model.onnx --out model.int8.onnx --inputs texts.json --tokenizer tokenizer.json',
      ]),
    )
    .action(async (model: string, options: QuantizeArguments) => {
      const [{ quantizeFile }, { renderQuantization }] = await Promise.all([
        import('./quantize-file.ts'),
        import('./render-quantization.ts'),
      ]);
      process.stdout.write(renderQuantization(await quantizeFile(model, options)));
    });
}
