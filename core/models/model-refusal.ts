import { AppError } from '../errors.ts';
import { jsonOrUndefined } from '../json/json.ts';

/** The largest function that AWS Lambda has, in bytes: a buffer beyond that fits none. */
const MOST_MEMORY_BYTES = 10_240 * 1024 * 1024;

/** Maximum length of onnxruntime's sentence in a message. */
const MAX_LENGTH = 300;

/** Facts about the inputs that a model refused. */
export interface RefusedInputs {
  /** Whether an input holds strings: then onnxruntime's sentence may quote one. */
  readonly readsText: boolean;
}

/**
 * Describes why onnxruntime did not run a model.
 *
 * It checks shapes inside the graph that the declared ones leave open: a state for another batch size, an image that a
 * model cannot halve. Those are the caller's to correct, so that the caller gets the reason. Only a lack of memory is not.
 *
 * @param cause - The error of onnxruntime.
 * @returns AppError `INVALID_TENSOR` with onnxruntime's reason but without values of the inputs, or `INTERNAL`.
 */
export function describeRefusal(cause: unknown, { readsText }: RefusedInputs): AppError {
  const text = cause instanceof Error ? cause.message : String(cause);
  if (isShortOfMemory(text)) return new AppError('INTERNAL', 'the model ran out of memory', { cause });
  const reason = refusalReason(text, { readsText });
  if (reason === undefined) return new AppError('INTERNAL', 'the model failed to run', { cause });
  return refusal(reason, cause);
}

/** Returns whether a smaller load may succeed. */
function isShortOfMemory(text: string): boolean {
  const [, bytes] = /requested buffer of size (\d+)/.exec(text) ?? [];
  if (bytes !== undefined) return Number(bytes) <= MOST_MEMORY_BYTES;
  return /Failed to allocate memory|bad_alloc|bad allocation|out of memory/i.test(text);
}

/** Messages of onnxruntime about inputs before it runs the graph: names, types and shapes only. Others are left out. */
const CHECKED_BEFORE =
  /^(?:Got invalid dimensions for input: \S{1,80} for the following indices(?:\s+index: \d{1,9} Got: \d{1,9} Expected: \d{1,9}){1,9}|Invalid rank for input: \S{1,80} Got: \d{1,3} Expected: \d{1,3}|Unexpected input data type\. Actual: \([\w()]{1,40}\) ?, expected: \([\w()]{1,40}\))/;

/** Its message when a node fails. A Triton container puts the code of the error before it. */
const FAILED_NODE = /running (\w+) node\. Name:'(.*?)' Status Message: (.*)$/s;

/**
 * Finds the reason in a message of onnxruntime.
 *
 * @returns One line that contains no value of an input; undefined if the message is not about inputs.
 */
function refusalReason(text: string, { readsText }: RefusedInputs): string | undefined {
  const message = text.replace(/^.*?onnx runtime error \d+: /s, '');
  const [checked] = CHECKED_BEFORE.exec(message) ?? [];
  if (checked !== undefined) return oneLine(checked);
  const [, operator, name, status] = FAILED_NODE.exec(message) ?? [];
  if (operator === undefined || name === undefined || status === undefined) return undefined;
  const node = name === '' ? operator : `${operator} (${oneLine(name)})`;
  return readsText ? `its node ${node} failed` : `its node ${node} failed: ${withoutValues(withoutPlace(status))}`;
}

/**
 * Finds the reason in the response of a container that has no result: an object with a member `error`, or a text that
 * quotes one.
 *
 * @returns As {@link refusalReason}.
 */
export function reasonInResponse(response: string, inputs: RefusedInputs): string | undefined {
  const value = jsonOrUndefined(response);
  const error = typeof value === 'object' && value !== null && 'error' in value ? value.error : undefined;
  return refusalReason(typeof error === 'string' ? error : response, inputs);
}

/** Creates the error for inputs that a model refused. */
export function refusal(reason: string, cause?: unknown): AppError {
  return new AppError('INVALID_TENSOR', `the model refused the inputs: ${reason}`, { cause, param: 'inputs' });
}

/** Removes the place in onnxruntime's source code and the condition that did not hold. */
function withoutPlace(status: string): string {
  return status
    .replace(/^.* was false\. /s, '')
    .replace(/^\[ONNXRuntimeError\] : \d+ : \w+ : /, '')
    .replace(/^\S+\.(?:h|cc|cpp):\d+ (?:[^()]*\(.*?\) |\S+ )/s, '');
}

/**
 * Parts of a sentence that hold no value of an input: shapes, what the model allows, and numbers that a word says are
 * of a shape. Quoted texts and all other numbers are masked.
 */
const KEPT =
  /\{[\d,\s-]*\}|(?:range|bounds) \[[\d,\s-]*\]|\b(?:[Aa]xis|[Aa]xes|[Dd]ims?|[Dd]imensions?|[Rr]ank|channels|group|[A-Z]):? (?:of |is |= ?)?\d+(?: (?:and|by|vs) \d+)?|\b\d+ by \d+|\b[A-Za-z_]\w*\b/g;

function withoutValues(sentence: string): string {
  const unquoted = sentence.replace(/"[^"]*"?|'[^']*'?/g, "'…'");
  let masked = '';
  let end = 0;
  for (const { 0: kept, index } of unquoted.matchAll(KEPT)) {
    masked += mask(unquoted.slice(end, index)) + kept;
    end = index + kept.length;
  }
  return oneLine(masked + mask(unquoted.slice(end)));
}

function mask(text: string): string {
  return text.replace(/-?\d+(?:\.\d+)?(?:e[+-]?\d+)?/gi, '…');
}

function oneLine(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length <= MAX_LENGTH ? line : `${line.slice(0, MAX_LENGTH)}…`;
}
