import { rm } from 'node:fs/promises';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { OpenAIEmbeddings } from '@langchain/openai';
import { OpenAIEmbedding } from '@llamaindex/openai';
import { embedMany } from 'ai';
import OpenAI from 'openai';
import OpenAI5 from 'openai-5';
import { type RunningApp, startApp, synthesizeApp } from '../app/running-app.ts';

/** The settings of a tool: an address and a key only. */
interface Setup {
  readonly baseURL: string;
  readonly apiKey: string;
}

type Embed = (texts: string[], setup: Setup) => Promise<number[][]>;

const MODEL = 'minilm';

/** More texts than some tools send in one request. */
const TEXTS = Array.from({ length: 200 }, (_, index) => `Parcel ${index} arrived this morning.`);

/** Calls of unchanged clients, with the sizes of requests that each chooses by itself. */
const CLIENTS: Readonly<Record<string, Embed>> = {
  'openai 7': async (input, setup) => {
    const { data } = await new OpenAI({ ...setup, maxRetries: 0 }).embeddings.create({ model: MODEL, input });
    return data.map(({ embedding }) => embedding);
  },
  'openai 5': async (input, setup) => {
    const { data } = await new OpenAI5({ ...setup, maxRetries: 0 }).embeddings.create({ model: MODEL, input });
    return data.map(({ embedding }) => embedding);
  },
  'the AI SDK': async (values, setup) => {
    const provider = createOpenAICompatible({ name: 'tensorgate', ...setup });
    const { embeddings } = await embedMany({ model: provider.embeddingModel(MODEL), values, maxRetries: 0 });
    return embeddings;
  },
  LangChain: (texts, { apiKey, baseURL }) =>
    new OpenAIEmbeddings({ model: MODEL, apiKey, configuration: { baseURL }, maxRetries: 0 }).embedDocuments(texts),
  LlamaIndex: (texts, setup) => new OpenAIEmbedding({ model: MODEL, ...setup, maxRetries: 0 }).getTextEmbeddings(texts),
};

let assembly: string;
let app: RunningApp;
let expected: number[][];

const setup = (): Setup => ({ baseURL: `${app.description.url}/v1`, apiKey: app.key('internal') });

beforeAll(async () => {
  assembly = await synthesizeApp();
  app = await startApp(assembly);
  const { baseURL, apiKey } = setup();
  const response = await fetch(`${baseURL}/embeddings`, {
    method: 'POST',
    headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: MODEL, input: TEXTS }),
  });
  const { data } = (await response.json()) as { data: { embedding: number[] }[] };
  expected = data.map(({ embedding }) => embedding);
});

afterAll(async () => {
  await app?.stop();
  await rm(assembly, { recursive: true, force: true });
});

/** The largest difference of two lists of vectors. */
function difference(actual: number[][]): number {
  return Math.max(
    ...expected.flatMap((row, at) => row.map((value, to) => Math.abs(value - (actual[at]?.[to] ?? NaN)))),
  );
}

/** The HTTP status that an error of a client reports: in the error itself or in its cause. */
function statusOf(error: unknown): unknown {
  if (typeof error !== 'object' || error === null) return undefined;
  if ('status' in error) return error.status;
  if ('statusCode' in error) return error.statusCode;
  return 'cause' in error ? statusOf(error.cause) : undefined;
}

describe.each(Object.entries(CLIENTS))('%s, set up with a URL and a key', (_, embed) => {
  it('embeds 200 texts and gets the vectors that a plain request gets', async () => {
    const vectors = await embed(TEXTS, setup());
    expect(vectors).toHaveLength(TEXTS.length);
    expect(difference(vectors)).toBeLessThan(1e-6);
  });

  it('reports 401 for a wrong key', async () => {
    const error = await embed(['a'], { ...setup(), apiKey: 'wrong' }).then(
      () => undefined,
      (cause: unknown) => cause,
    );
    expect(statusOf(error)).toBe(401);
  });
});
