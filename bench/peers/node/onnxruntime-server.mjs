import { readFileSync } from 'node:fs';
import { Tokenizer } from '@huggingface/tokenizers';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { serveEmbeddings } from './embeddings-server.mjs';

/** fastify and onnxruntime-node with the settings that both have by themselves. */
const session = await InferenceSession.create(process.env.PEER_MODEL);
const tokenizer = new Tokenizer(JSON.parse(readFileSync(process.env.PEER_TOKENIZER, 'utf8')), {});

await serveEmbeddings(async (texts) => {
  const ids = texts.map((text) => tokenizer.encode(text).ids.slice(0, 512));
  const longest = Math.max(...ids.map((row) => row.length));
  const { last_hidden_state: hidden } = await session.run(padded(ids, longest));
  return ids.map((row, index) => meanPooled(hidden, index, row.length));
});

function padded(ids, longest) {
  const shape = [ids.length, longest];
  const tensors = {
    input_ids: new BigInt64Array(ids.length * longest),
    attention_mask: new BigInt64Array(ids.length * longest),
    token_type_ids: new BigInt64Array(ids.length * longest),
  };
  for (const [row, tokens] of ids.entries()) {
    for (const [column, token] of tokens.entries()) {
      tensors.input_ids[row * longest + column] = BigInt(token);
      tensors.attention_mask[row * longest + column] = 1n;
    }
  }
  return Object.fromEntries(session.inputNames.map((name) => [name, new Tensor('int64', tensors[name], shape)]));
}

function meanPooled(hidden, item, tokens) {
  const [, longest, width] = hidden.dims;
  const sum = new Array(width).fill(0);
  for (let token = 0; token < tokens; token++) {
    const start = (item * longest + token) * width;
    for (let index = 0; index < width; index++) sum[index] += hidden.data[start + index];
  }
  const norm = Math.hypot(...sum);
  return sum.map((value) => value / norm);
}
