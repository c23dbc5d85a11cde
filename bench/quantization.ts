import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { graphOf } from '../onnx/format/graph.ts';
import { TensorProto_DataType as DataType, type ModelProto, type TensorProto } from '../onnx/format/onnx-messages.ts';
import { readModel, writeModel } from '../onnx/format/proto.ts';
import { bytesOf } from '../onnx/format/tensor-proto.ts';
import { isBatchInvariant } from '../onnx/gate/batch-invariance.ts';
import { type Accuracy, accuracyOf, answersOf, errorsOf, timePass } from '../onnx/gate/measure.ts';
import { COSINE } from '../onnx/gate/metrics.ts';
import { calibrate } from '../onnx/quantize/calibrate.ts';
import { quantizeDynamic } from '../onnx/quantize/dynamic.ts';
import { fuseProducts } from '../onnx/quantize/fuse-products.ts';
import { activationsToCalibrate, quantizeStatic } from '../onnx/quantize/static-qdq.ts';
import { feedsOf, readAll } from '../onnx/runtime/feeds.ts';
import { foldConstants } from '../onnx/runtime/fold-constants.ts';
import { openSession, type Session, type Tensors } from '../onnx/runtime/session.ts';
import { inputsOf } from '../onnx/samples/model-inputs.ts';
import { openSamples, splitSamples } from '../onnx/samples/open-samples.ts';
import { describeCommit, describeMachine } from './machine.ts';
import { MODEL_DIRECTORY, REPOSITORY, RESULTS_DIRECTORY, WORK_DIRECTORY } from './repository.ts';
import { interleave, type Summary, summarize } from './statistics.ts';
import { formatBytes, formatRatio, formatSummary, renderTable } from './table.ts';

/** One quantized file that takes part. */
interface Entrant {
  readonly name: string;
  readonly path: string;
}

/** Measurements of one file. */
interface Row extends Accuracy {
  readonly name: string;
  readonly bytes: number;
  /** Milliseconds of processor time of one pass over the timed texts, single-threaded. */
  readonly passMs: Summary;
  readonly batchInvariant: boolean | undefined;
}

/** How many constants of two files are equal, name and bytes. */
interface Equality {
  readonly mode: string;
  readonly equal: number;
  readonly total: number;
  readonly different: readonly string[];
}

const USAGE =
  'node bench/quantization.ts <fp32.onnx> [--python <python>] [--texts <file>] [--tokenizer <file>] [--rounds <n>]';
const FOLDER = join(WORK_DIRECTORY, 'quantization');
const TIMED_TEXTS = 16;

/** Compares our quantizer with that of onnxruntime's Python package on a whole text encoder. */
async function main(): Promise<void> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      python: { type: 'string', default: 'python3' },
      texts: { type: 'string', default: join(MODEL_DIRECTORY, 'calibration.json') },
      tokenizer: { type: 'string', default: join(MODEL_DIRECTORY, 'tokenizer.json') },
      'max-tokens': { type: 'string', default: '256' },
      rounds: { type: 'string', default: '9' },
    },
  });
  const [source] = positionals;
  if (source === undefined) throw new Error(`usage: ${USAGE}`);
  mkdirSync(FOLDER, { recursive: true });
  const model = readModel(source);
  const maxTokens = Number(values['max-tokens']);
  const options = { inputs: inputsOf(model), tokenizer: values.tokenizer, maxTokens };
  const split = splitSamples((await openSamples(values.texts, options)).feeds);
  const samples = { calibration: await readAll(split.calibration), feeds: await readAll(split.feeds) };
  const folded = await foldConstants(model);
  const equality = compareTensors(folded, values.python);
  const entrants = [
    ...(await ours(folded, samples.calibration)),
    ...theirs(source, samples.calibration, values.python),
  ];
  const rows = await measure([{ name: 'fp32', path: source }, ...entrants], samples.feeds, Number(values.rounds));
  report({ machine: describeMachine(), commit: describeCommit(), texts: samples.feeds.length, equality, rows });
}

const inFolder = (name: string): string => join(FOLDER, `${name}.onnx`);

function python(executable: string, source: string, out: string, ...args: readonly string[]): void {
  const script = join(REPOSITORY, 'bench/peers/quantize.py');
  execFileSync(executable, [script, source, out, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
}

async function ours(folded: ModelProto, calibration: readonly Tensors[]): Promise<Entrant[]> {
  const ranges = await calibrate(folded, activationsToCalibrate(folded), feedsOf(calibration));
  const made: readonly (readonly [string, ModelProto])[] = [
    ['ours, static smooth', fuseProducts(quantizeStatic(folded, ranges, { smooth: true }).model)],
    ['ours, static', fuseProducts(quantizeStatic(folded, ranges).model)],
    ['ours, dynamic', quantizeDynamic(folded).model],
    ['ours, dynamic per tensor', quantizeDynamic(folded, { perChannel: false }).model],
  ];
  return made.map(([name, model], index) => {
    const path = inFolder(`ours-${index}`);
    writeModel(model, path);
    return { name, path };
  });
}

/** Python's files, made as its manual says: shapes inferred and graph optimized first. */
function theirs(source: string, calibration: readonly Tensors[], executable: string): Entrant[] {
  const feeds = join(FOLDER, 'feeds.json');
  const plain = calibration.map((feed) =>
    Object.fromEntries(Object.entries(feed).map(([name, { data }]) => [name, Array.from(data, Number)])),
  );
  writeFileSync(feeds, JSON.stringify(plain));
  const made: readonly (readonly [string, readonly string[]])[] = [
    ['Python, static', ['static', '--feeds', feeds]],
    ['Python, dynamic', ['dynamic', '--per-channel']],
    ['Python, dynamic per tensor', ['dynamic']],
  ];
  return made.map(([name, args], index) => {
    const path = inFolder(`python-${index}`);
    python(executable, source, path, ...args, '--preprocess');
    return { name, path };
  });
}

/** Quantizes the same folded file with both and compares every constant. */
function compareTensors(folded: ModelProto, executable: string): Equality[] {
  const source = inFolder('folded');
  writeModel(folded, source);
  const modes = [
    { mode: 'per tensor', options: { perChannel: false }, args: [] },
    { mode: 'per channel', options: {}, args: ['--per-channel'] },
    { mode: 'per channel, reduced range', options: { reduceRange: true }, args: ['--per-channel', '--reduce-range'] },
  ];
  return modes.map(({ mode, options, args }) => {
    const path = inFolder('python-folded');
    python(executable, source, path, 'dynamic', ...args);
    return { mode, ...compareConstants(quantizeDynamic(folded, options).model, readModel(path)) };
  });
}

function compareConstants(a: ModelProto, b: ModelProto): Omit<Equality, 'mode'> {
  const [left, right] = [a, b].map(
    (model) => new Map(graphOf(model).initializer.map((tensor) => [tensor.name, tensor])),
  ) as [Map<string, TensorProto>, Map<string, TensorProto>];
  const names = [...new Set([...left.keys(), ...right.keys()])];
  const different = names.filter((name) => !areEqual(left.get(name), right.get(name)));
  return { equal: names.length - different.length, total: names.length, different };
}

function areEqual(a: TensorProto | undefined, b: TensorProto | undefined): boolean {
  if (a === undefined || b === undefined) return false;
  const isSameKind = a.dataType === b.dataType && a.dims.join() === b.dims.join();
  return isSameKind && Buffer.compare(rawBytes(a), rawBytes(b)) === 0;
}

/** Python stores scalars in typed fields: the bytes that `raw_data` would hold. */
function rawBytes(tensor: TensorProto): Uint8Array {
  if (tensor.rawData.length > 0) return tensor.rawData;
  if (tensor.dataType === DataType.FLOAT) return bytesOf(Float32Array.from(tensor.floatData));
  if (tensor.dataType === DataType.INT64) return bytesOf(BigInt64Array.from(tensor.int64Data));
  if (tensor.dataType === DataType.INT32) return bytesOf(Int32Array.from(tensor.int32Data));
  return Uint8Array.from(tensor.int32Data);
}

async function measure(entrants: readonly Entrant[], feeds: readonly Tensors[], rounds: number): Promise<Row[]> {
  const sessions: Session[] = [];
  for (const { path } of entrants) sessions.push(await openSession(readFileSync(path)));
  const answers: Tensors[][] = [];
  for (const session of sessions) answers.push(await answersOf(session, feeds));
  const [reference = []] = answers;
  const times = await interleave(sessions, rounds, (session) => timePass(session, feeds.slice(0, TIMED_TEXTS)));
  const rows: Row[] = [];
  for (const [index, { name, path }] of entrants.entries()) {
    const session = sessions[index];
    rows.push({
      name,
      bytes: readFileSync(path).length,
      ...accuracyOf(errorsOf(COSINE, reference, answers[index] ?? [])),
      passMs: summarize(times[index] ?? []),
      batchInvariant: session && (await isBatchInvariant(session, feeds)),
    });
  }
  for (const session of sessions) await session.release();
  return rows;
}

/** Everything that is written down. */
interface Results {
  readonly machine: ReturnType<typeof describeMachine>;
  readonly commit: string;
  readonly texts: number;
  readonly equality: readonly Equality[];
  readonly rows: readonly Row[];
}

function report(results: Results): void {
  const { equality, rows, texts } = results;
  const [fp32] = rows;
  const pythonMs = rows.find(({ name }) => name === 'Python, dynamic per tensor')?.passMs.median;
  const speed = renderTable({
    title: 'Quantized encoder, one thread',
    columns: [
      'file',
      'size',
      'CPU ms a pass',
      'x fp32',
      'x Python default',
      'mean 1-cos',
      'worst 1-cos',
      'same bits in batch',
    ],
    rows: rows.map(({ name, bytes, passMs, meanError, worstError, batchInvariant }) => [
      name,
      formatBytes(bytes),
      formatSummary(passMs),
      formatRatio(fp32?.passMs.median ?? 0, passMs.median),
      formatRatio(pythonMs ?? 0, passMs.median),
      meanError.toFixed(5),
      worstError.toFixed(5),
      batchInvariant ? 'yes' : 'no',
    ]),
    notes: [
      `Error of ${texts} texts that calibration did not see; a pass is ${Math.min(TIMED_TEXTS, texts)} of them, one by one.`,
    ],
  });
  const equal = renderTable({
    title: 'Constants equal to those of the Python quantizer, name and bytes',
    columns: ['dynamic', 'equal', 'of'],
    rows: equality.map(({ mode, equal: count, total }) => [mode, String(count), String(total)]),
  });
  process.stdout.write(`${equal}\n\n${speed}\n`);
  mkdirSync(RESULTS_DIRECTORY, { recursive: true });
  writeFileSync(join(RESULTS_DIRECTORY, 'quantization.json'), `${JSON.stringify(results, undefined, 2)}\n`);
}

await main();
