import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { env, pipeline } from '@huggingface/transformers';
import { serveEmbeddings } from './embeddings-server.mjs';

/** transformers.js behind fastify: its pipeline, its defaults, the same weights. */
const models = process.env.PEER_WORK;
layOutModel(join(models, 'model'));

env.localModelPath = models;
env.allowRemoteModels = false;
env.useFSCache = false;
const extract = await pipeline('feature-extraction', 'model', { dtype: 'q8' });

await serveEmbeddings(async (texts) => (await extract(texts, { pooling: 'mean', normalize: true })).tolist());

/** Lays the files out and names them as transformers.js expects them. */
function layOutModel(directory) {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(join(directory, 'onnx'), { recursive: true });
  symlinkSync(process.env.PEER_MODEL, join(directory, 'onnx/model_quantized.onnx'));
  symlinkSync(process.env.PEER_TOKENIZER, join(directory, 'tokenizer.json'));
  writeFileSync(join(directory, 'config.json'), JSON.stringify({ model_type: 'bert', architectures: ['BertModel'] }));
  writeFileSync(
    join(directory, 'tokenizer_config.json'),
    JSON.stringify({
      tokenizer_class: 'BertTokenizer',
      model_max_length: 512,
      cls_token: '[CLS]',
      mask_token: '[MASK]',
      pad_token: '[PAD]',
      sep_token: '[SEP]',
      unk_token: '[UNK]',
    }),
  );
}
