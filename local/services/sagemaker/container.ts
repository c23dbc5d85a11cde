import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppError } from '../../../core/errors.ts';
import type { ContainerMessage } from '../../../core/protocols/container-message.ts';
import { fromOrt, type OrtResult, toOrt } from '../../../core/tensors/ort-types.ts';
import type { Tensor } from '../../../core/tensors/tensor.ts';
import { DynamicBatcher, QueueError, type Tensors } from './dynamic-batcher.ts';
import { decodeInferRequest, encodeInferResponse } from './infer-codec.ts';
import { openRepository, type RepositoryModel } from './model-repository.ts';

/**
 * The process that stands in for a Triton container of Amazon SageMaker, on onnxruntime's CPU library: `/ping`,
 * `/invocations`, dynamic batching as `config.pbtxt` says. It ends when its parent is gone.
 *
 * @see https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
 */
const { TENSORGATE_ARCHIVE: archive = '', SAGEMAKER_TRITON_DEFAULT_MODEL_NAME: name = '' } = process.env;

const folder = await mkdtemp(join(tmpdir(), 'tensorgate-container-'));
const end = (): void => {
  void rm(folder, { recursive: true, force: true }).finally(() => process.exit(0));
};
process.on('disconnect', end);
process.on('SIGTERM', end);

const model = await openRepository(archive, name, folder);
const submit = await openModel(model);

const server = createServer((request, response) => {
  serve(request, response).catch((error: unknown) => fail(response, error));
});
server.listen(0, '127.0.0.1', () => {
  process.send?.({ port: (server.address() as AddressInfo).port, accelerators: model.config.accelerators });
});

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.url === '/ping') {
    response.end();
    return;
  }
  if (request.url !== '/invocations' || request.method !== 'POST') {
    response.writeHead(404).end();
    return;
  }
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const message = { contentType: request.headers['content-type'] ?? 'application/json', body: Buffer.concat(chunks) };
  const { contentType, body } = await infer(message);
  response.writeHead(200, { 'content-type': contentType }).end(body);
}

async function infer(message: ContainerMessage): Promise<ContainerMessage> {
  const request = decodeInferRequest(message);
  const outputs = await submit(request.inputs, request.timeoutMs);
  return encodeInferResponse(request, { model: name, version: model.version, outputs });
}

/** Statuses of Triton: what is wrong with a request 400, what its queue refuses 503, the rest 500. */
function fail(response: ServerResponse, error: unknown): void {
  const status = error instanceof AppError ? 400 : error instanceof QueueError ? 503 : 500;
  const text = error instanceof Error ? error.message : String(error);
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ error: text }));
}

async function openModel({ config, file }: RepositoryModel): Promise<DynamicBatcher['submit']> {
  // biome-ignore lint/style/noRestrictedImports: this process is a container, which brings its own runtime
  const loaded = await import('onnxruntime-node');
  const { InferenceSession, Tensor: OrtTensor } = 'default' in loaded ? (loaded.default as typeof loaded) : loaded;
  const session = await InferenceSession.create(file, { logSeverityLevel: 3, interOpNumThreads: 1 });
  const run = async (inputs: Tensors): Promise<Tensors> => {
    const feeds = Object.fromEntries(
      Object.entries(inputs).map(([input, tensor]) => [input, toOrt(OrtTensor, tensor)]),
    );
    const results = await session.run(feeds).catch((cause: Error) => {
      // Triton's words for a failure of its onnxruntime backend.
      throw new Error(`onnx runtime error 2: ${cause.message}`, { cause });
    });
    return Object.fromEntries(Object.entries(results).map(([output, value]) => [output, outputOf(value)]));
  };
  const { maxBatchSize, batching } = config;
  const usual = { delayMs: 0, maxQueueSize: 0, timeoutMs: 0 };
  const isMerging = maxBatchSize > 0 && batching !== undefined;
  const batcher = new DynamicBatcher({ ...usual, ...batching, maxBatchSize: isMerging ? maxBatchSize : 0 }, run);
  return (inputs, timeoutMs) => {
    checkInputs(inputs, session.inputNames, maxBatchSize);
    return batcher.submit(inputs, timeoutMs);
  };
}

function checkInputs(inputs: Tensors, required: readonly string[], maxBatchSize: number): void {
  const names = Object.keys(inputs);
  const strange = [
    ...names.filter((input) => !required.includes(input)),
    ...required.filter((input) => !(input in inputs)),
  ];
  if (strange.length > 0) {
    throw new AppError('INVALID_TENSOR', `expected the inputs ${required.join(', ')}, got ${names.join(', ')}`);
  }
  const items = Object.values(inputs).map(({ shape }) => shape[0] ?? 0);
  if (maxBatchSize > 0 && items.some((count) => count > maxBatchSize || count !== items[0])) {
    throw new AppError('INVALID_TENSOR', `inference request batch-size must be <= ${maxBatchSize} for '${name}'`);
  }
}

function outputOf(result: OrtResult): Tensor {
  const tensor = fromOrt(result);
  if (tensor === undefined) throw new Error(`the model returned elements of type ${result.type}`);
  return tensor;
}
