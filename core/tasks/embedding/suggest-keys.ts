import type { ReadJsonFile, SuggestedKeys } from '../contract/task-definition.ts';

/** Lengths that tokenizers write for "unlimited" are larger than any model's. */
const LONGEST = 32_768;

/**
 * Reads the settings of an embedding model from the files that Sentence Transformers and Transformers write beside it.
 *
 * @see https://sbert.net/docs/sentence_transformer/usage/custom_models.html
 */
export function suggestEmbeddingKeys(readJson: ReadJsonFile): SuggestedKeys {
  const pooling = poolingOf(Object(readJson('1_Pooling/config.json')));
  const modules = readJson('modules.json');
  const normalize = Array.isArray(modules) ? modules.some((one) => /\bNormalize$/.test(Object(one).type)) : undefined;
  const maxTokens = maxTokensOf(readJson);
  return {
    ...(pooling === undefined && normalize === undefined ? {} : { embedding: { pooling, normalize } }),
    ...(maxTokens === undefined ? {} : { limits: { maxTokens } }),
  };
}

function poolingOf(config: Readonly<Record<string, unknown>>): string | undefined {
  if (config['pooling_mode_cls_token'] === true) return 'cls';
  return config['pooling_mode_mean_tokens'] === true ? 'mean' : undefined;
}

function maxTokensOf(readJson: ReadJsonFile): number | undefined {
  const found = [
    Object(readJson('sentence_bert_config.json')).max_seq_length,
    Object(readJson('tokenizer_config.json')).model_max_length,
    Object(readJson('config.json')).max_position_embeddings,
  ];
  return found.find((length) => Number.isInteger(length) && length >= 1 && length <= LONGEST);
}
