import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { App, CfnOutput, Stack } from 'aws-cdk-lib';
import { InferenceApi, Models } from 'tensorgate';

/** Where the two models are put together; it may be deleted at any time. */
const MODELS = '.tensorgate/twins';

const source = join(import.meta.dirname, '../../models/minilm');
cpSync(source, join(MODELS, 'minilm'), { recursive: true });
cpSync(source, join(MODELS, 'minilm-gpu'), { recursive: true });

// The twin: another id, and the line that moves it to an endpoint. Its weights become fp16 when it is packed.
const manifest = join(MODELS, 'minilm-gpu/model.yaml');
const text = readFileSync(manifest, 'utf8').replace(/^id: .*$/m, 'id: minilm-gpu');
writeFileSync(manifest, `${text}\ncompute: { target: sagemaker, instanceType: ml.g5.xlarge }\n`);

const app = new App();
const stack = new Stack(app, 'GpuTwin');
const api = new InferenceApi(stack, 'Api', {
  models: Models.fromDirectory(MODELS),
  defaultEmbeddingModel: 'minilm',
  // One ml.g5.xlarge runs all month: $1,027.84 in us-east-1, 2026-11.
  maxIdleMonthlyUsd: 1050,
});

new CfnOutput(stack, 'InferenceUrl', { value: api.url });
