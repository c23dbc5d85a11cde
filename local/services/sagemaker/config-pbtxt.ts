import { AppError } from '../../../core/errors.ts';

/** A message in the text format of protocol buffers: each field with all of its values, in order. */
export type TextMessage = ReadonlyMap<string, readonly TextValue[]>;

/** Text, a number or a word of an enumeration as they are written, or a message. */
export type TextValue = string | TextMessage;

/** Names, numbers, punctuation and quoted text; comments run to the end of the line. */
const TOKEN = /#[^\n]*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|[-+]?[\w.]+|[{}[\]<>:,;]|\S/g;

/** Text between two tokens that has no meaning. */
const SEPARATORS: ReadonlySet<string> = new Set([',', ';']);

/**
 * Reads the text format of protocol buffers, as far as `config.pbtxt` files use it: no extensions, no `Any`.
 *
 * @throws AppError `TEMPLATE_INVALID` when the text is not in that format.
 * @see https://protobuf.dev/reference/protobuf/textformat-spec/
 */
export function parseTextFormat(text: string): TextMessage {
  const tokens = [...text.matchAll(TOKEN)].map(([token]) => token).filter((token) => !token.startsWith('#'));
  const reader = { tokens, at: 0 };
  const message = readMessage(reader, undefined);
  return message;
}

interface Reader {
  readonly tokens: readonly string[];
  at: number;
}

function readMessage(reader: Reader, end: string | undefined): TextMessage {
  const fields = new Map<string, TextValue[]>();
  for (;;) {
    const name = reader.tokens[reader.at++];
    if (name === end) return fields;
    if (name !== undefined && SEPARATORS.has(name)) continue;
    if (name === undefined || !/^[a-zA-Z_]\w*$/.test(name)) throw unexpected(name, 'the name of a field');
    const values = fields.get(name) ?? [];
    fields.set(name, values);
    if (reader.tokens[reader.at] === ':') reader.at++;
    if (reader.tokens[reader.at] === '[') values.push(...readList(reader));
    else values.push(readValue(reader));
  }
}

function readList(reader: Reader): TextValue[] {
  const values: TextValue[] = [];
  reader.at++;
  while (reader.tokens[reader.at] !== ']') {
    if (reader.tokens[reader.at] === ',') reader.at++;
    else values.push(readValue(reader));
  }
  reader.at++;
  return values;
}

function readValue(reader: Reader): TextValue {
  const token = reader.tokens[reader.at++];
  if (token === '{') return readMessage(reader, '}');
  if (token === '<') return readMessage(reader, '>');
  if (token === undefined || /^[{}[\]<>:,;]$/.test(token)) throw unexpected(token, 'a value');
  if (!/^["']/.test(token)) return token;
  let text = unquoted(token);
  // Texts that follow one another are one.
  while (/^["']/.test(reader.tokens[reader.at] ?? '')) text += unquoted(reader.tokens[reader.at++] ?? '');
  return text;
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };

function unquoted(token: string): string {
  return token.slice(1, -1).replaceAll(/\\(.)/g, (_, letter: string) => ESCAPES[letter] ?? letter);
}

function unexpected(token: string | undefined, expected: string): AppError {
  return new AppError('TEMPLATE_INVALID', `config.pbtxt needs ${expected}, got ${token ?? 'its end'}`);
}

/** The part of a model's configuration that the stand-in uses. */
export interface ModelConfig {
  readonly name: string;
  /** Maximum number of items of a run; zero if requests are never merged. */
  readonly maxBatchSize: number;
  /** How requests wait to be merged; undefined without dynamic batching. */
  readonly batching:
    | {
        readonly delayMs: number;
        /** Requests that may wait; zero means no limit. */
        readonly maxQueueSize: number;
        /** How long a request may wait; zero means no limit. */
        readonly timeoutMs: number;
      }
    | undefined;
  /** Accelerators that are asked for: none of them is here. */
  readonly accelerators: readonly string[];
}

/**
 * Reads a model's configuration.
 *
 * @throws AppError `TEMPLATE_INVALID` when it is not in the text format, or a number is none.
 */
export function readModelConfig(text: string): ModelConfig {
  const config = parseTextFormat(text);
  const batching = messageIn(config, 'dynamic_batching');
  const policy = messageIn(batching, 'default_queue_policy');
  const accelerators = messageIn(messageIn(config, 'optimization'), 'execution_accelerators');
  return {
    name: textIn(config, 'name') ?? '',
    maxBatchSize: numberIn(config, 'max_batch_size'),
    batching:
      batching === undefined
        ? undefined
        : {
            delayMs: numberIn(batching, 'max_queue_delay_microseconds') / 1000,
            maxQueueSize: numberIn(policy, 'max_queue_size'),
            timeoutMs: numberIn(policy, 'default_timeout_microseconds') / 1000,
          },
    accelerators: (accelerators?.get('gpu_execution_accelerator') ?? []).flatMap((value) =>
      typeof value === 'string' ? [] : [textIn(value, 'name') ?? ''],
    ),
  };
}

function messageIn(message: TextMessage | undefined, name: string): TextMessage | undefined {
  const value = message?.get(name)?.at(-1);
  return typeof value === 'string' ? undefined : value;
}

function textIn(message: TextMessage | undefined, name: string): string | undefined {
  const value = message?.get(name)?.at(-1);
  return typeof value === 'string' ? value : undefined;
}

function numberIn(message: TextMessage | undefined, name: string): number {
  const text = textIn(message, name) ?? '0';
  const value = Number(text);
  if (Number.isFinite(value)) return value;
  throw new AppError('TEMPLATE_INVALID', `config.pbtxt needs a number for ${name}, got ${text}`);
}
