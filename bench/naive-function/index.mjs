// The function that the bench compares with: what the model costs as people first put it into a Lambda function.
import { readFileSync } from 'node:fs';
import { Logger } from '@aws-lambda-powertools/logger';
import { Metrics } from '@aws-lambda-powertools/metrics';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { Tokenizer } from '@huggingface/tokenizers';
import middy from '@middy/core';
import { InferenceSession, Tensor } from 'onnxruntime-node';

const logger = new Logger({ serviceName: 'naive' });
const metrics = new Metrics({ namespace: 'Naive', serviceName: 'naive' });
export const client = new DynamoDBClient({});
const tokenizer = new Tokenizer(JSON.parse(readFileSync(process.env.BENCH_TOKENIZER, 'utf8')), {});
const session = await InferenceSession.create(process.env.BENCH_MODEL);

async function embed(text) {
  const { ids } = tokenizer.encode(text);
  const tensor = (fill) => new Tensor('int64', BigInt64Array.from(ids, fill), [1, ids.length]);
  const { last_hidden_state: hidden } = await session.run({
    input_ids: tensor((id) => BigInt(id)),
    attention_mask: tensor(() => 1n),
    token_type_ids: tensor(() => 0n),
  });
  const width = hidden.dims[2];
  const sums = new Array(width).fill(0);
  for (let index = 0; index < hidden.data.length; index++) sums[index % width] += hidden.data[index];
  const norm = Math.hypot(...sums);
  return sums.map((sum) => sum / norm);
}

export const handler = middy(async (event) => {
  const { input } = JSON.parse(event.body);
  const embedding = await embed(input);
  logger.info('embedded');
  metrics.addMetric('Embeddings', 'Count', 1);
  metrics.publishStoredMetrics();
  return { statusCode: 200, body: JSON.stringify({ data: [{ embedding }] }) };
});
