import { openAiError } from '../api/problem-body.ts';
import { AppError, type ErrorCode } from '../errors.ts';
import { parseJson } from '../json/json.ts';
import { taskRouteAt } from '../tasks/task-routes.ts';

/** The position of a line, and the id of its request. */
export interface LineKey {
  /** Number in the file, from 1. */
  readonly line: number;
  /** `custom_id` of the request; null if it cannot be read. */
  readonly customId: string | null;
}

/** A line of a batch file that is a request. */
export interface LineRequest extends LineKey {
  readonly customId: string;
  /** Body of the request, integers beyond 2^53 as `bigint`. */
  readonly body: unknown;
}

/** An invalid line of a batch file, and why. */
export interface BrokenLine extends LineKey {
  readonly error: AppError;
}

/** Rules for every line of a batch. */
export interface LineRules {
  /** Endpoint of the batch: `/v1/embeddings`. */
  readonly endpoint: string;
  /** Id of the batch's model, then its aliases: a body that names another model is refused. */
  readonly models: readonly string[];
}

/** Maximum characters of a `custom_id`. */
const MAX_CUSTOM_ID_CHARACTERS = 512;

/** Members of a line (OpenAI API reference, "The request input object"). */
const MEMBERS: readonly string[] = ['custom_id', 'method', 'url', 'body'];

const LINE_FEED = 0x0a;

const UTF8 = new TextDecoder('utf-8', { fatal: true });

/** A line that contains only JSON's white space (RFC 8259 §2). */
const BLANK = /^[ \t\r]*$/;

/** Errors of lines that were never sent to the model: in OpenAI's API they have no HTTP response. */
const NOT_RUN: ReadonlySet<ErrorCode> = new Set([
  'INVALID_LINE',
  'BATCH_CANCELED',
  'BATCH_EXPIRED',
  'WORKER_LOST',
  'BUDGET_EXCEEDED',
]);

/**
 * Reads the lines of a chunk; blank ones are left out. A line that is not UTF-8 does not affect others.
 *
 * @param bytes - Lines that end with a line feed, before which a carriage return may stand.
 * @param firstLine - Number of the first line in the file, from 1.
 */
export function readLines(bytes: Uint8Array, firstLine: number, rules: LineRules): (LineRequest | BrokenLine)[] {
  const lines: (LineRequest | BrokenLine)[] = [];
  let number = firstLine;
  for (let start = 0; start < bytes.length; number++) {
    const found = bytes.indexOf(LINE_FEED, start);
    const end = found === -1 ? bytes.length : found;
    const text = decode(bytes.subarray(start, end));
    if (text === undefined) lines.push({ line: number, customId: null, error: invalid('is not UTF-8') });
    else if (!BLANK.test(text)) lines.push(readLine(text, number, rules));
    start = end + 1;
  }
  return lines;
}

/**
 * Reads one line.
 *
 * @returns The request; for an invalid line the reason, with its `custom_id` if that can be read.
 */
export function readLine(text: string, line: number, rules: LineRules): LineRequest | BrokenLine {
  let customId: string | null = null;
  try {
    const value = objectIn(parseLine(text));
    customId = customIdOf(value);
    return { line, customId, body: bodyOf(value, rules) };
  } catch (error) {
    return { line, customId, error: error instanceof AppError ? error : invalid('is not a request') };
  }
}

/** Returns whether a line is a request. */
export function isRequest(line: LineRequest | BrokenLine): line is LineRequest {
  return 'body' in line;
}

/**
 * Writes a line of the output file, for a request that succeeded.
 *
 * @param body - JSON text of the response.
 */
export function outputLine(batchId: string, key: LineKey, body: string): string {
  const response = `{"status_code":200,"request_id":${JSON.stringify(requestId(batchId, key.line))},"body":${body}}`;
  return `{${head(batchId, key)},"response":${response},"error":null}`;
}

/** Writes a line of the error file: a request that was refused or failed, or was never run. */
export function errorLine(batchId: string, key: LineKey, { code, message, param, status }: AppError): string {
  if (NOT_RUN.has(code)) {
    const json = JSON.stringify({ code, message, param: param ?? null, line: key.line });
    return `{${head(batchId, key)},"response":null,"error":${json}}`;
  }
  const body = { error: openAiError(code, message, param) };
  const response = JSON.stringify({ status_code: status, request_id: requestId(batchId, key.line), body });
  return `{${head(batchId, key)},"response":${response},"error":null}`;
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return UTF8.decode(bytes);
  } catch {
    return undefined;
  }
}

function parseLine(text: string): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    throw invalid(error instanceof AppError ? error.message.replace(/^body /, '') : 'is not valid JSON');
  }
}

function objectIn(value: unknown): Readonly<Record<string, unknown>> {
  if (isObject(value)) return value;
  throw invalid(`must be a JSON object with ${MEMBERS.join(', ')}`);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function customIdOf({ custom_id: id }: Readonly<Record<string, unknown>>): string {
  if (typeof id === 'string' && id !== '' && id.length <= MAX_CUSTOM_ID_CHARACTERS) return id;
  throw invalid(`must have a custom_id of 1 to ${MAX_CUSTOM_ID_CHARACTERS} characters`, 'custom_id');
}

function bodyOf(value: Readonly<Record<string, unknown>>, { endpoint, models }: LineRules): unknown {
  const { method, url, body } = value;
  if (method !== 'POST') throw invalid('must have the method POST', 'method');
  if (url !== endpoint) throw invalid(`must have the url of the batch, ${endpoint}`, 'url');
  if (!isObject(body)) throw invalid('must have a body that is a JSON object', 'body');
  const named = body['model'];
  if (taskRouteAt(endpoint) !== undefined && typeof named === 'string' && !models.includes(named)) {
    throw new AppError('MODEL_NOT_FOUND', `the model must be that of the batch, ${models[0]}`, { param: 'body.model' });
  }
  return body;
}

function invalid(rule: string, param?: string): AppError {
  return new AppError('INVALID_LINE', `the line ${rule}`, { param });
}

function head(batchId: string, { line, customId }: LineKey): string {
  return `"id":${JSON.stringify(requestId(batchId, line))},"custom_id":${JSON.stringify(customId)}`;
}

/** The same at every try: merging a batch twice gives the same bytes. */
function requestId(batchId: string, line: number): string {
  return `${batchId.replace(/^batch_/, 'batch_req_')}_${line}`;
}
