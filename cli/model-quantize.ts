import { Command, InvalidArgumentError, Option } from 'commander';
import { examples, jsonOption, printResult } from './output.ts';
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

function size(value: string): readonly [number, number] {
  const [, height, width] = /^(\d{1,5})x(\d{1,5})$/.exec(value) ?? [];
  if (!(Number(height) > 0 && Number(width) > 0)) {
    throw new InvalidArgumentError('must be a height and a width, such as 480x640.');
  }
  return [Number(height), Number(width)];
}

function positive(value: string): number {
  const number = Number(value);
  if (!(number > 0 && Number.isFinite(number))) throw new InvalidArgumentError('must be a number above 0.');
  return number;
}

/** One number for all channels, or one for each. */
function channels(value: string): number[] {
  const numbers = value.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
  if (![1, 3].includes(numbers.length) || !numbers.every(Number.isFinite)) {
    throw new InvalidArgumentError('must be one number, or three with commas between them, such as 0.485,0.456,0.406.');
  }
  return numbers;
}

function positiveChannels(value: string): number[] {
  const numbers = channels(value);
  if (!numbers.every((number) => number > 0)) throw new InvalidArgumentError('must be above 0.');
  return numbers;
}

function collect(value: string, earlier: readonly string[]): string[] {
  return [...earlier, value];
}

const choice = (flags: string, description: string, choices: readonly string[]): Option =>
  new Option(flags, description).choices(choices).default(choices[0]);

/** Defines `tensorgate model quantize`, which writes an 8-bit model and reports its accuracy. */
export function modelQuantizeCommand(): Command {
  const schemes = ['auto', 'static', 'static-smooth', 'dynamic', 'weight-only'];
  return new Command('quantize')
    .description('Make an 8-bit copy of an ONNX model, measured against the original.')
    .argument('<model>', 'ONNX file')
    .requiredOption('-o, --out <file>', 'where to write the quantized model')
    .option(
      '-i, --inputs <path>',
      'inputs to calibrate and measure with: a JSON list of texts or of {"inputs": [...]} requests, a .npy or .npz file, or a folder of .jpg and .png pictures or of .txt texts',
    )
    .option('--max-inputs <count>', 'how many of the inputs to use, evenly spread', wholeNumber, 500)
    .option('-t, --tokenizer <file>', 'for texts: the tokenizer.json')
    .option(
      '--max-tokens <count>',
      'for texts: cut after this many tokens (default: what the tokenizer says)',
      wholeNumber,
    )
    .option(
      '--image-size <size>',
      'for pictures: height and width, such as 480x640 (default: the size of the model)',
      size,
    )
    .addOption(
      choice('--image-fit <how>', 'for pictures: change the proportions, or cut off two sides', ['stretch', 'cover']),
    )
    .option('--image-range <white>', 'for pictures: value of white (default: 1, for whole numbers 255)', positive)
    .option('--image-mean <numbers>', 'for pictures: taken from each channel', channels)
    .option('--image-std <numbers>', 'for pictures: each channel is divided by it', positiveChannels)
    .addOption(choice('--image-order <order>', 'for pictures: order of the channels', ['rgb', 'bgr']))
    .addOption(choice('--scheme <name>', 'how to quantize; auto measures all and picks one that passes', schemes))
    .addOption(
      choice('--prefer <what>', 'what decides among the schemes that pass; the others break ties', [
        'speed',
        'size',
        'accuracy',
      ]),
    )
    .option('--exclude-node <name>', 'leave this node in floating point; may be repeated', collect, [])
    .option('--exclude-type <operator>', 'leave operators of this type in floating point; may be repeated', collect, [])
    .option('--reduce-range', 'use 7 bits for weights, for x86 processors without VNNI', false)
    .option(
      '--min-cosine <share>',
      'for texts: least average cosine to the original; each may lose twice that',
      share,
      0.99,
    )
    .option('--max-error <share>', 'for tensors: greatest average error, relative to the largest output', share, 0.02)
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples([
        'tensorgate model quantize model.onnx --out model.int8.onnx --scheme dynamic',
        'tensorgate model quantize model.onnx --out model.int8.onnx --inputs texts.json --tokenizer tokenizer.json',
        'tensorgate model quantize model.onnx --out model.int8.onnx --inputs inputs.npz --prefer size',
        'tensorgate model quantize model.onnx --out model.int8.onnx --inputs photos/ --image-mean 0.485,0.456,0.406 --image-std 0.229,0.224,0.225',
      ]),
    )
    .action(async (model: string, options: QuantizeArguments & { readonly json?: boolean }) => {
      const [{ quantizeFile }, { renderQuantization }, { ProgressLine }] = await Promise.all([
        import('./quantize-file.ts'),
        import('./render-quantization.ts'),
        import('./progress-line.ts'),
      ]);
      using line = new ProgressLine(process.stderr);
      const report = await quantizeFile(model, options, (progress) => line.show(progress));
      line.clear();
      printResult(report, options, renderQuantization);
    });
}
