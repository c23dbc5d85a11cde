import { join } from 'node:path';
import { styleText } from 'node:util';
import {
  compareTargets,
  crossoverRps,
  ENDPOINT_CALL_MS,
  type Load,
  type TargetCost,
} from '../core/costs/compare-targets.ts';
import { derivedGpuMs } from '../core/costs/gpu-milliseconds.ts';
import { MONTH_SECONDS, PRICES } from '../core/costs/prices.ts';
import { AppError } from '../core/errors.ts';
import {
  DEFAULT_INSTANCE_TYPE,
  GPU_INSTANCE_TYPES,
  type Gpu,
  gpuInstanceType,
} from '../core/models/gpu-instance-types.ts';
import { FUNCTION_MEMORY_MIB, type Manifest } from '../core/models/manifest.ts';
import { MANIFEST_FILE } from '../core/models/model-files.ts';
import { manifestTraffic } from '../core/traffic/traffic.ts';
import { readManifest } from '../disk/model-folder.ts';
import { measureTokens } from '../onnx/gate/measure-tokens.ts';
import { readVersionWeights, type VersionWeights } from '../onnx/pack/version-weights.ts';
import { countProductWeights } from '../onnx/quantize/count-product-weights.ts';
import { renderTable } from './table.ts';

/** Options of `tensorgate plan`. */
export interface PlanOptions {
  readonly rps: number;
  readonly tokens: number;
  readonly p95Ms?: number;
  readonly instanceType?: string;
  readonly memoryMib?: number;
  readonly cpuMs?: number;
  readonly gpuMs?: number;
  readonly json?: boolean;
}

/** Memory at which a function has one processor of its own. */
const MIB_PER_VCPU = 1769;

/** Source of a number. */
type Source = 'given' | 'measured here, on one thread' | 'derived from the weights';

/** Cost and latency of a load on each target. */
export interface Plan {
  readonly model: string;
  readonly instanceType: string;
  readonly load: Load;
  readonly sources: { readonly cpuMs: Source; readonly gpuMs: Source };
  /** Targets that respond within the timeout of the function. */
  readonly targets: readonly TargetCost[];
  /** Targets whose 95th percentile exceeds the timeout, with that time in milliseconds. */
  readonly tooSlow: readonly Pick<TargetCost, 'target' | 'p95Ms'>[];
  readonly timeoutMs: number;
  /** Load above which the endpoint is cheaper; undefined if there is none, or if functions are too slow. */
  readonly crossoverRps: number | undefined;
}

/**
 * Compares what a load costs on functions and on a GPU endpoint.
 *
 * @throws AppError `MANIFEST_INVALID`, `WEIGHTS_MISMATCH` or `ONNX_INVALID` for a folder that is not a model,
 * `INVALID_PARAMETER` for an instance type without GPUs, a model whose time cannot be measured by tokens, or a load that the
 * model or AWS Lambda does not allow.
 */
export async function planLoad(folder: string, options: PlanOptions): Promise<Plan> {
  const manifest = readManifest(folder);
  const { compute } = manifest;
  const usual = compute.target === 'sagemaker' ? compute.instanceType : DEFAULT_INSTANCE_TYPE;
  const instanceType = options.instanceType ?? usual;
  const instance = gpuInstanceType(instanceType);
  if (instance === undefined) {
    const known = Object.keys(GPU_INSTANCE_TYPES).join(', ');
    throw new AppError('INVALID_PARAMETER', `--instance-type must be one of ${known}; got ${instanceType}`);
  }
  checkTokens(options.tokens, manifest);
  const memoryMiB = checkedMemory(options.memoryMib ?? compute.memoryMiB);
  const { cpuMs, gpuMs } = await runTimes(folder, manifest, { ...options, memoryMiB, gpu: instance.gpu });
  const load = { rps: options.rps, cpuMs, memoryMiB, architecture: compute.architecture, gpuMs, instance };
  return {
    model: manifest.id,
    instanceType,
    load,
    sources: {
      cpuMs: options.cpuMs === undefined ? 'measured here, on one thread' : 'given',
      gpuMs: options.gpuMs === undefined ? 'derived from the weights' : 'given',
    },
    ...withinTimeout(load, manifest),
  };
}

interface RunTimes {
  readonly cpuMs: number;
  readonly gpuMs: number;
}

/** The times of a run that the options give; the weights are read for the others only. */
async function runTimes(
  folder: string,
  manifest: Manifest,
  options: PlanOptions & { readonly memoryMiB: number; readonly gpu: Gpu },
): Promise<RunTimes> {
  const { cpuMs, gpuMs, tokens, gpu } = options;
  if (cpuMs !== undefined && gpuMs !== undefined) return { cpuMs, gpuMs };
  const { bytes, model } = weightsOf(folder, manifest);
  return {
    cpuMs: cpuMs ?? (await measuredCpuMs(bytes, manifest, options)),
    gpuMs: gpuMs ?? derivedGpuMs(countProductWeights(model), tokens, gpu),
  };
}

/** Separates the targets that respond in time; an asynchronous endpoint has no caller that waits. */
function withinTimeout(
  load: Load,
  { compute }: Manifest,
): Pick<Plan, 'targets' | 'tooSlow' | 'timeoutMs' | 'crossoverRps'> {
  const timeoutMs = compute.timeoutSeconds * 1000;
  const isAsync = compute.target === 'sagemaker' && compute.mode === 'async';
  const fits = ({ target, p95Ms }: TargetCost) => p95Ms <= timeoutMs || (isAsync && target === 'sagemaker');
  const all = compareTargets(load);
  const targets = all.filter(fits);
  if (targets.length === 0) {
    throw new AppError(
      'INVALID_PARAMETER',
      `no target responds within the timeout of ${compute.timeoutSeconds} s (compute.timeoutSeconds): ${load.cpuMs.toFixed(0)} ms in a function, ${load.gpuMs.toFixed(0)} ms on the GPU`,
    );
  }
  const tooSlow = all.filter((one) => !fits(one)).map(({ target, p95Ms }) => ({ target, p95Ms }));
  return { targets, tooSlow, timeoutMs, crossoverRps: tooSlow.length === 0 ? crossoverRps(load) : undefined };
}

/** @throws AppError `INVALID_PARAMETER` when no request to the model can hold so many tokens. */
function checkTokens(tokens: number, { id, limits }: Manifest): void {
  const { maxItems, maxTokens, maxRequestTokens = Number.POSITIVE_INFINITY } = limits;
  if (maxTokens === undefined) return;
  const most = Math.min(maxItems * maxTokens, maxRequestTokens);
  if (tokens <= most) return;
  throw new AppError(
    'INVALID_PARAMETER',
    `--tokens must be at most ${most} for ${id}, whose requests hold up to ${maxItems} inputs of ${maxTokens} tokens each (limits in ${MANIFEST_FILE}); got ${tokens}`,
  );
}

/** @throws AppError `INVALID_PARAMETER` when no function may have so much or so little memory. */
function checkedMemory(memoryMiB: number): number {
  const { min, max } = FUNCTION_MEMORY_MIB;
  if (Number.isInteger(memoryMiB) && memoryMiB >= min && memoryMiB <= max) return memoryMiB;
  throw new AppError(
    'INVALID_PARAMETER',
    `--memory-mib must be a whole number from ${min} to ${max}, got ${memoryMiB}`,
  );
}

/** The weights of the version that most requests go to. */
function weightsOf(folder: string, manifest: Manifest): VersionWeights {
  const version = manifest.versions[manifestTraffic(manifest).main];
  if (version === undefined) throw new AppError('MANIFEST_INVALID', `${join(folder, MANIFEST_FILE)} lists no version`);
  if (version.weights.endsWith('.safetensors')) {
    throw new AppError(
      'INVALID_PARAMETER',
      `--cpu-ms and --gpu-ms are needed: ${version.weights} is not an ONNX file, and only those can be measured here`,
    );
  }
  return readVersionWeights(folder, version);
}

/** A function with less memory than a processor's worth gets that share of one. */
async function measuredCpuMs(
  weights: Uint8Array,
  manifest: Manifest,
  { tokens, memoryMiB }: { readonly tokens: number; readonly memoryMiB: number },
): Promise<number> {
  const { maxTokens } = manifest.limits;
  if (maxTokens === undefined) {
    throw new AppError('INVALID_PARAMETER', '--cpu-ms is needed: only models of text are measured by tokens');
  }
  const longest = Math.min(tokens, maxTokens);
  const ms = await measureTokens(weights, longest);
  return ((ms * tokens) / longest) * Math.max(1, MIB_PER_VCPU / memoryMiB);
}

const NAMES: Readonly<Record<TargetCost['target'], string>> = {
  lambda: 'Lambda',
  'lambda-provisioned': 'Lambda, provisioned',
  sagemaker: 'SageMaker',
};

/** Renders a plan as text. */
export function renderPlan(plan: Plan, options: PlanOptions): string {
  const { model, instanceType, load, sources, targets, crossoverRps: crossover } = plan;
  const { rps, cpuMs, gpuMs, memoryMiB, architecture } = load;
  const requests = rps * MONTH_SECONDS;
  const rows = targets.map(({ target, usd, p95Ms, units }) => [
    target === 'sagemaker' ? `${NAMES[target]}, ${Math.round(units)} x ${instanceType}` : NAMES[target],
    usd.toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 }),
    ((usd / requests) * 1e6).toFixed(2),
    p95Ms.toFixed(1),
    ...(options.p95Ms === undefined ? [] : [p95Ms <= options.p95Ms ? 'yes' : 'no']),
  ]);
  const head = ['target', '$ a month', '$ a million', 'p95 ms', ...(options.p95Ms === undefined ? [] : ['in time'])];
  return [
    `${styleText('bold', model)}  ${rps} requests a second of ${options.tokens} tokens`,
    renderTable(head, rows, [1, 2, 3]),
    verdict(targets, instanceType, options.p95Ms),
    plan.tooSlow.length === 0 ? crossoverSentence(crossover, instanceType) : tooSlowSentence(plan),
    [
      `Function: ${cpuMs.toFixed(1)} ms (${sources.cpuMs}), ${memoryMiB} MiB ${architecture}.`,
      `GPU: ${gpuMs.toFixed(2)} ms (${sources.gpuMs}), and ${ENDPOINT_CALL_MS} ms for the call (assumed).`,
      `Prices of us-east-1, 2026-11, without API Gateway, which adds $${PRICES.apiGatewayMillionRequests.toFixed(2)} a million to each.`,
      'p95 leaves cold starts out; provisioned environments have none. One instance gives no redundancy; two cost twice as much.',
    ].join('\n'),
  ]
    .join('\n\n')
    .concat('\n');
}

function verdict(targets: readonly TargetCost[], instanceType: string, p95Ms: number | undefined): string {
  const inTime = targets.filter((one) => p95Ms === undefined || one.p95Ms <= p95Ms);
  const [cheapest] = inTime.toSorted((a, b) => a.usd - b.usd);
  if (cheapest === undefined) return `Nothing answers within ${p95Ms} ms: take fewer tokens, or another instance type.`;
  const name = cheapest.target === 'sagemaker' ? `SageMaker on ${instanceType}` : NAMES[cheapest.target];
  return `Cheapest${p95Ms === undefined ? '' : ` within ${p95Ms} ms`}: ${styleText('bold', name)}.`;
}

function tooSlowSentence({ tooSlow, timeoutMs }: Plan): string {
  const names = tooSlow.map(({ target, p95Ms }) => `${NAMES[target]} (${p95Ms.toFixed(0)} ms)`);
  return `Not possible within the timeout of ${timeoutMs / 1000} s: ${names.join(', ')}.`;
}

function crossoverSentence(rps: number | undefined, instanceType: string): string {
  if (rps === undefined) return `Functions are cheaper than ${instanceType} at any load.`;
  const rounded = rps >= 10 ? Math.round(rps) : Number(rps.toPrecision(2));
  return `Below about ${rounded} requests a second functions are cheaper, above ${instanceType} is.`;
}
