import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { devNull, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { APIGatewayProxyEvent } from 'aws-lambda';
import { openDeps } from '../lambdas/serve-model/deps.ts';
import { createHandler } from '../lambdas/serve-model/handler.ts';
import type { HttpHandler } from '../lambdas/shared/http/http-handler.ts';
import { packModel } from '../onnx/pack/pack-model.ts';
import { invocationContext, postEvent } from './gateway-event.ts';
import { median, type Summary, summarize } from './statistics.ts';

/** The mean of each channel of images `[n, 3, 224, 224]`: one operator, so that what counts is the way to the model. */
const MODEL =
  'CAgSADpqCiAKBWltYWdlEgRtZWFuIhFHbG9iYWxBdmVyYWdlUG9vbBIBZ1oiCgVpbWFnZRIZChcIARITCgMSAW4KAggDCgMI4AEKAwjgAWIfCgRtZWFuEhcKFQgBEhEKAxIBbgoCCAMKAggBCgIIAUIECgAQEQ==';

const SHAPE = [1, 3, 224, 224];

/** Calls a round: enough for a steady median. */
const CALLS = 40;
const QUICK_CALLS = 8;

/** One form of a request with one image. */
export interface TensorResult {
  readonly form: TensorForm;
  /** Bytes of the body as the client sends it. */
  readonly wireBytes: number;
  /** Bytes of the event that AWS Lambda hands to the function, base64 included. */
  readonly eventBytes: number;
  /** From the text of the event to the response, the model included, in milliseconds. */
  readonly handlerMs: Summary;
}

/** How the image is sent: as bytes of a binary tensor or of a message, or as JSON numbers. */
export type TensorForm = 'binary' | 'protobuf' | 'json';

/** Measures requests with one image of 3x224x224 floats, by the form in which they send it. */
export async function measureTensors({
  rounds,
  quick,
}: {
  readonly rounds: number;
  readonly quick: boolean;
}): Promise<readonly TensorResult[]> {
  const folder = mkdtempSync(join(tmpdir(), 'tensorgate-bench-tensors-'));
  try {
    const handler = await openHandler(folder);
    const forms = Object.entries(requestForms()) as [TensorForm, APIGatewayProxyEvent][];
    const events = forms.map(([form, event]) => ({ form, event, text: JSON.stringify(event), ms: [] as number[] }));
    // The first round only warms up.
    for (let round = 0; round <= rounds; round++) {
      for (const { text, ms } of events) {
        const measured = await timeCalls(text, handler, quick ? QUICK_CALLS : CALLS);
        if (round > 0) ms.push(median(measured));
      }
    }
    return events.map(({ form, event, text, ms }) => ({
      form,
      wireBytes: Buffer.byteLength(event.body ?? '', event.isBase64Encoded ? 'base64' : 'utf8'),
      eventBytes: Buffer.byteLength(text),
      handlerMs: summarize(ms),
    }));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function openHandler(folder: string): Promise<HttpHandler> {
  const weights = Buffer.from(MODEL, 'base64');
  mkdirSync(join(folder, 'means', '1'), { recursive: true });
  writeFileSync(join(folder, 'means', '1', 'model.onnx'), weights);
  const sha256 = createHash('sha256').update(weights).digest('hex');
  const versions = `{ "1": { weights: 1/model.onnx, sha256: ${sha256} } }`;
  writeFileSync(
    join(folder, 'means', 'model.yaml'),
    `id: means\ntask: tensor\nversions: ${versions}\ncache: { store: none }\n`,
  );
  await packModel(join(folder, 'means'), join(folder, 'packed'));
  const deps = await openDeps({
    modelFolder: join(folder, 'packed'),
    environment: { siblings: [], metricsNamespace: 'Bench', metrics: 'basic' as const, stage: 'bench' },
    variables: {},
    memoryMiB: 1769,
  });
  const nowhere = openSync(devNull, 'w');
  return createHandler({ ...deps, write: (line) => writeSync(nowhere, `${line}\n`) });
}

function requestForms(): Readonly<Record<TensorForm, APIGatewayProxyEvent>> {
  const image = Float32Array.from({ length: 3 * 224 * 224 }, (_, index) => Math.sin(index));
  const bytes = Buffer.from(image.buffer);
  const path = '/v2/models/means/infer';
  const input = { name: 'image', datatype: 'FP32', shape: SHAPE };
  const head = Buffer.from(
    JSON.stringify({ inputs: [{ ...input, parameters: { binary_data_size: bytes.byteLength } }] }),
  );
  const octets = 'application/octet-stream';
  const protobuf = 'application/x-protobuf';
  return {
    binary: bytesEvent(path, Buffer.concat([head, bytes]), {
      'Content-Type': octets,
      Accept: octets,
      'Inference-Header-Content-Length': String(head.byteLength),
    }),
    protobuf: bytesEvent(path, messageOf(bytes), { 'Content-Type': protobuf, Accept: protobuf }),
    json: postEvent(path, JSON.stringify({ inputs: [{ ...input, data: shortest(image) }] })),
  };
}

/** The image as numbers of as few digits as a float32 needs, as a careful client sends them. */
function shortest(image: Float32Array): number[] {
  return Array.from(image, (value) => Number(value.toPrecision(8)));
}

/** A `ModelInferRequest`: the input's name, datatype and shape, then its bytes as raw contents. */
function messageOf(bytes: Buffer): Buffer {
  const tensor = Buffer.from(`\x0a\x05image\x12\x04FP32\x1a\x06\x01\x03\xe0\x01\xe0\x01`, 'latin1');
  return Buffer.concat([
    Buffer.from([0x2a, tensor.byteLength]),
    tensor,
    Buffer.from([0x3a, ...varint(bytes.byteLength)]),
    bytes,
  ]);
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value % 0x80) | 0x80, ...varint(Math.floor(value / 0x80))];
}

function bytesEvent(path: string, body: Buffer, headers: Readonly<Record<string, string>>): APIGatewayProxyEvent {
  return { ...postEvent(path, body.toString('base64'), headers), isBase64Encoded: true };
}

/** Parsing the event is part of it, because AWS Lambda passes its text to the runtime. */
async function timeCalls(text: string, handler: HttpHandler, calls: number): Promise<number[]> {
  const durations: number[] = [];
  for (let call = 0; call < calls; call++) {
    const startedMs = performance.now();
    const { statusCode, body } = await handler(JSON.parse(text), invocationContext());
    durations.push(performance.now() - startedMs);
    if (statusCode !== 200) throw new Error(`the handler responded with ${statusCode}: ${body}`);
  }
  return durations;
}
