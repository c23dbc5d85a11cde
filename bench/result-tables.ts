import type { AuthorizerResult } from './authorizer.ts';
import type { BatchingResult } from './batching.ts';
import { COLD_PHASES, type ColdStartReport } from './cold-start.ts';
import type { FairnessResult } from './fairness.ts';
import { HANDLER_STEPS } from './handler-steps.ts';
import type { JobsLevel } from './jobs.ts';
import type { OverheadResult } from './overhead.ts';
import type { PackageSizes } from './package-sizes.ts';
import type { BenchResults } from './results.ts';
import { type FigureTable, formatBytes, formatFigure, formatRatio, formatSummary } from './table.ts';
import type { TensorResult } from './tensors.ts';
import type { ThroughputResult } from './throughput.ts';

/** Returns the tables of a run, in the order of its parts. */
export function resultTables({
  sizes,
  overhead,
  cold,
  authorizer,
  load,
  batching,
  tensors,
  jobs,
  fairness,
}: BenchResults): readonly FigureTable[] {
  return [
    ...(sizes === undefined ? [] : [sizesTable(sizes)]),
    ...(overhead === undefined ? [] : [overheadTable(overhead), stepsTable(overhead)]),
    ...(cold === undefined ? [] : [coldTable(cold), phasesTable(cold)]),
    ...(authorizer === undefined ? [] : [authorizerTable(authorizer)]),
    ...(load === undefined ? [] : [...loadTables(load), serversTable(load)]),
    ...(batching === undefined ? [] : [batchingTable(batching)]),
    ...(tensors === undefined ? [] : [tensorsTable(tensors)]),
    ...(jobs === undefined ? [] : [jobsTable(jobs)]),
    ...(fairness === undefined ? [] : [fairnessTable(fairness)]),
  ];
}

function sizesTable(sizes: PackageSizes): FigureTable {
  return {
    title: 'Function package',
    columns: ['part', 'size'],
    rows: [
      ['JavaScript of a cold start', formatBytes(sizes.coldJavaScript)],
      ['JavaScript loaded later', formatBytes(sizes.lazyJavaScript)],
      ['onnxruntime', formatBytes(sizes.natives)],
      ['model', formatBytes(sizes.model)],
      ['all, unzipped', formatBytes(sizes.total)],
      ['all, zipped', formatBytes(sizes.zipped)],
      ['onnxruntime-node as npm installs it', formatBytes(sizes.onnxruntimeAsInstalled)],
    ],
  };
}

function overheadTable(results: readonly OverheadResult[]): FigureTable {
  return {
    title: 'Handler over raw session.run, results cache off (µs: median, range of the rounds)',
    columns: ['request', 'tokens', 'runs', 'raw', 'handler', 'overhead', 'of raw', 'model stubbed'],
    rows: results.map((result) => [
      nameOf(result),
      String(result.tokens),
      String(result.runs),
      formatSummary(result.rawUs),
      formatSummary(result.handlerUs),
      formatSummary(result.overheadUs),
      `${((result.overheadUs.median / result.rawUs.median) * 100).toFixed(1)} %`,
      formatSummary(result.stubbedUs),
    ]),
    notes: [
      'overhead: the handler less the time within its own calls of session.run, call by call.',
      'model stubbed: the same with recorded answers instead of the model, so that the processor caches stay warm.',
    ],
  };
}

function stepsTable(results: readonly OverheadResult[]): FigureTable {
  return {
    title: 'Steps of the handler, each called alone (µs, median)',
    columns: ['request', ...HANDLER_STEPS],
    rows: results.map((result) => [nameOf(result), ...HANDLER_STEPS.map((step) => formatFigure(result.stepsUs[step]))]),
  };
}

function coldTable({ starts }: ColdStartReport): FigureTable {
  const naive = starts.find(({ variant }) => variant === 'naive');
  return {
    title: 'Cold start: process to first answer, under aws-lambda-ric (ms: median, range)',
    columns: ['function', 'starts', 'total', 'of naive', 'init', 'RSS MiB'],
    rows: starts.map(({ variant, totalMs, initMs, rssMiB }) => [
      variant,
      String(totalMs.count),
      formatSummary(totalMs),
      formatRatio(totalMs.median, naive?.totalMs.median),
      formatSummary(initMs),
      rssMiB === undefined ? '-' : formatSummary(rssMiB),
    ]),
  };
}

function phasesTable({ phasesMs }: ColdStartReport): FigureTable {
  return {
    title: 'Phases of the package’s cold start (ms, median of traced starts)',
    columns: ['phase', 'ms'],
    rows: COLD_PHASES.map((phase) => [phase, formatFigure(phasesMs[phase])]),
  };
}

function authorizerTable(results: readonly AuthorizerResult[]): FigureTable {
  return {
    title: 'The authorizer, under aws-lambda-ric (ms: median, range)',
    columns: ['keys', 'cold start', 'init', 'warm invocation'],
    rows: results.map(({ keys, coldMs, initMs, warmMs }) => [
      String(keys),
      ...[coldMs, initMs, warmMs].map(formatSummary),
    ]),
    notes: ['Cold start: process to first result. A warm invocation includes the Runtime API of local mode.'],
  };
}

/** One table for each concurrency; the first server is the one that the others are compared with. */
function loadTables(results: readonly ThroughputResult[]): readonly FigureTable[] {
  const levels = results[0]?.levels ?? [];
  return levels.map(({ concurrency, requestsPerSecond: ours }, level) => ({
    title: `Servers with the same int8 weights, ${concurrency} ${concurrency === 1 ? 'connection' : 'connections'} kept busy (median, range of the rounds)`,
    columns: ['server', 'requests/s', 'ours is', 'p50 ms', 'p99 ms'],
    rows: results.flatMap(({ name, side, levels }) => {
      const reached = levels[level];
      if (reached === undefined) return [];
      const ratio = side === 'ours' ? '-' : formatRatio(ours.median, reached.requestsPerSecond.median);
      const { requestsPerSecond, p50Ms, p99Ms } = reached;
      return [[name, formatSummary(requestsPerSecond), ratio, formatSummary(p50Ms), formatSummary(p99Ms)]];
    }),
  }));
}

function batchingTable(results: readonly BatchingResult[]): FigureTable {
  return {
    title:
      'Jobs of one text each: merged by run-jobs against one by one as serve-model (texts/s, median, range of the rounds)',
    columns: ['texts', 'jobs together', 'one by one', 'merged', 'gain'],
    rows: results.map(({ lengths, jobs, alone, merged, gain }) => [
      lengths,
      String(jobs),
      formatSummary(alone),
      formatSummary(merged),
      formatSummary(gain),
    ]),
    notes: ['Both decode, tokenize, run the model and write the answer; the results cache is off.'],
  };
}

function tensorsTable(results: readonly TensorResult[]): FigureTable {
  const json = results.find(({ form }) => form === 'json');
  return {
    title: 'One image of 3x224x224 floats, by the form of the request (median, range of the rounds)',
    columns: ['form', 'on the wire', 'of JSON', 'event', 'handler ms', 'of JSON'],
    rows: results.map(({ form, wireBytes, eventBytes, handlerMs }) => [
      form,
      formatBytes(wireBytes),
      formatRatio(wireBytes, json?.wireBytes),
      formatBytes(eventBytes),
      formatSummary(handlerMs),
      formatRatio(handlerMs.median, json?.handlerMs.median),
    ]),
    notes: ['handler: from the text of the event to the response, with a model of one operator.'],
  };
}

function jobsTable(levels: readonly JobsLevel[]): FigureTable {
  return {
    title: 'Jobs of one text through local mode, submitted together (median, range of the rounds)',
    columns: ['jobs', 'submit p50 ms', 'submit p99 ms', 'end to end p50 ms', 'end to end p99 ms', 'jobs/s'],
    rows: levels.map(({ depth, submitP50Ms, submitP99Ms, endToEndP50Ms, endToEndP99Ms, jobsPerSecond }) => [
      String(depth),
      ...[submitP50Ms, submitP99Ms, endToEndP50Ms, endToEndP99Ms, jobsPerSecond].map(formatSummary),
    ]),
    notes: ['End to end: from acceptance to the end of the job. Every text is new to the results cache.'],
  };
}

function fairnessTable(result: FairnessResult): FigureTable {
  const { jobs, webhooks, leftOver, endedMeanwhile, idleJobMs, busyJobMs, idleWebhookMs, busyWebhookMs } = result;
  return {
    title: `A single job and webhook of one tenant while another has ${jobs} jobs and ${webhooks} webhooks (ms: median, range)`,
    columns: ['', 'idle', 'busy', 'busy/idle'],
    rows: [
      ['job', formatSummary(idleJobMs), formatSummary(busyJobMs), formatRatio(busyJobMs.median, idleJobMs.median)],
      [
        'webhook',
        formatSummary(idleWebhookMs),
        formatSummary(busyWebhookMs),
        formatRatio(busyWebhookMs.median, idleWebhookMs.median),
      ],
    ],
    notes: [
      `The other tenant's receiver takes 10 s. At the end, ${leftOver} of its jobs still waited.`,
      `While a single job waited or ran, ${formatSummary(endedMeanwhile)} of the other tenant's jobs ended.`,
    ],
  };
}

function serversTable(results: readonly ThroughputResult[]): FigureTable {
  return {
    title: 'Memory after the heaviest load (MiB), and mean cosine with the fp32 reference',
    columns: ['server', 'RSS', 'PSS', 'cosine'],
    rows: results.map(({ name, answers, rssMiB, pssMiB }) => [
      name,
      formatFigure(rssMiB ?? Number.NaN),
      formatFigure(pssMiB ?? Number.NaN),
      answers.meanCosine.toFixed(4),
    ]),
    notes: ['RSS counts pages that processes share once for each of them, PSS splits them.'],
  };
}

function nameOf({ items, encodingFormat }: OverheadResult): string {
  return `${items} ${items === 1 ? 'text' : 'texts'}, ${encodingFormat}`;
}
