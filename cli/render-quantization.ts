import { styleText } from 'node:util';
import { writeCoverage } from '../onnx/gate/quantized-model.ts';
import type { GateReport, QuantizationReport, TrialReport } from './quantization-report.ts';
import { formatBytes, renderFacts, renderTable } from './table.ts';

/** Lays the report of a quantization out for a terminal of 80 columns. */
export function renderQuantization(report: QuantizationReport): string {
  const { gate, bytes, out, sha256, manifest } = report;
  const percent = ((bytes.after / bytes.before) * 100).toFixed(1);
  const facts: [string, string][] = [
    ['scheme', `${report.scheme}: ${reasonFor(report)}`],
    ...inputLines(report),
    ...coverageLines(report),
    ...alreadyQuantizedLines(report),
    ['size', `${formatBytes(bytes.before)} -> ${formatBytes(bytes.after)} (${percent} %)`],
    ...adviceLines(report),
    ['file', out],
    ['sha256', sha256],
  ];
  return [
    ...(gate === undefined ? [] : [trialTable(gate, bytes.before), '']),
    renderFacts(facts),
    '',
    `${styleText('bold', 'model.yaml')}`,
    indent(manifest),
  ].join('\n');
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '  ');
}

function trialTable(gate: GateReport, before: number): string {
  const head = ['scheme', 'size', 'mean err', 'worst', 'speed-up', 'batch', ''];
  const original = ['original', formatBytes(before), '', '', '', batchOf(gate.originalBatchInvariant), ''];
  const rows = gate.trials.map((trial) => [
    trial.leftToPass.length === 0 ? trial.scheme : `${trial.scheme}*`,
    formatBytes(trial.bytes),
    formatError(trial.meanError),
    formatError(trial.worstError),
    speedOf(trial),
    batchOf(trial.batchInvariant),
    verdictOf(trial),
  ]);
  const failures = gate.failures.map(({ scheme }) => [scheme, '', '', '', '', '', styleText('red', 'not used')]);
  const table = renderTable(head, [original, ...rows, ...failures], [1, 2, 3, 4]);
  const notes = [
    ...gate.failures.map(({ scheme, reason }): [string, string] => [scheme, reason]),
    ...gate.trials.flatMap(({ scheme, sameAs, leftToPass }): [string, string][] => [
      ...(sameAs === undefined ? [] : [[scheme, `gives the same file as ${sameAs}`] satisfies [string, string]]),
      ...(leftToPass.length === 0
        ? []
        : [[`${scheme}*`, `leaves ${leftToPass.join(', ')} in floating point`] satisfies [string, string]]),
    ]),
  ];
  return notes.length === 0 ? table : `${table}\n\n${renderFacts(notes)}`;
}

/** Large errors are far from passing: their size is enough. */
function formatError(error: number): string {
  return error < 10 ? error.toFixed(5) : error.toPrecision(2);
}

/** The median and the half width of its interval. */
function speedOf({ speedup: { ratio, low, high } }: TrialReport): string {
  return `${ratio.toFixed(2)}x ±${((high - low) / 2).toFixed(2)}`;
}

function batchOf(batchInvariant: boolean | undefined): string {
  if (batchInvariant === undefined) return '-';
  return batchInvariant ? 'same' : 'differs';
}

function verdictOf({ chosen, passes }: TrialReport): string {
  if (chosen) return styleText('green', 'chosen');
  return passes ? 'passes' : styleText('red', 'inaccurate');
}

function reasonFor({ gate, prefer }: QuantizationReport): string {
  if (gate === undefined) return 'as requested; nothing was measured because no inputs were given';
  const { metric, limits, inputs, inputsWereSeen, trials } = gate;
  const passing = trials.filter(({ passes }) => passes);
  const limit = `${metric} at most ${limits.meanError.toFixed(4)} on average and ${limits.worstError.toFixed(4)} at worst`;
  const seen = inputsWereSeen
    ? 'the inputs of the calibration, too few to part'
    : 'inputs that calibration did not see';
  const measured = `${limit}, over ${inputs} ${seen}`;
  if (passing.length === 1) return `the only one that passes: ${measured}`;
  return `preferred for its ${prefer} among ${passing.length} that pass: ${measured}`;
}

/** Says so if only a part of the inputs was used. */
function inputLines({ gate }: QuantizationReport): [string, string][] {
  if (gate === undefined) return [];
  const used = gate.inputsWereSeen ? gate.inputs : gate.inputs + gate.calibrationInputs;
  return used === gate.available ? [] : [['inputs', `${used} of ${gate.available}, evenly spread: see --max-inputs`]];
}

function coverageLines({ operators }: QuantizationReport): [string, string][] {
  return operators.map((operator, index) => [
    index === 0 ? 'nodes' : '',
    writeCoverage({ ...operator, reasons: new Map(Object.entries(operator.left)) }),
  ]);
}

function alreadyQuantizedLines({ alreadyQuantized }: QuantizationReport): [string, string][] {
  const counts = Object.entries(alreadyQuantized).map(([opType, count]) => `${count} ${opType}`);
  return counts.length === 0 ? [] : [['note', `the model was quantized already, in part: it has ${counts.join(', ')}`]];
}

/** Share of a size from which on another is hardly smaller. */
const HARDLY_SMALLER = 0.9;

/** A quantized file that is hardly smaller, or slower, is said to be so. */
function adviceLines({ gate, bytes, prefer }: QuantizationReport): [string, string][] {
  const chosen = gate?.trials.find((trial) => trial.chosen);
  const lines: string[] = [];
  if (bytes.after > bytes.before) lines.push('larger than the original');
  else if (bytes.after > bytes.before * HARDLY_SMALLER) lines.push('hardly smaller than the original');
  if (chosen !== undefined && chosen.speedup.high < 1) {
    lines.push(`slower than the original: ${chosen.speedup.ratio.toFixed(2)}x`);
  }
  const smaller = gate?.trials.find((trial) => trial.passes && trial.bytes < bytes.after * HARDLY_SMALLER);
  if (smaller !== undefined && prefer !== 'size') {
    lines.push(`${smaller.scheme} also passes and takes ${formatBytes(smaller.bytes)}: --prefer size`);
  }
  return lines.map((line) => ['note', line]);
}
