import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda';
import { parseJson } from '../../../core/json/json.ts';
import { type Datatype, ELEMENTS, elementCount, type Tensor, type TensorData } from '../../../core/tensors/tensor.ts';
import { binaryEvent, gatewayEvent } from '../../lambdas/events.ts';

/** A tensor with the name of an input or output. */
export interface NamedTensor extends Tensor {
  readonly name: string;
}

interface DescribedTensor {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly data?: readonly unknown[];
  readonly parameters?: { readonly binary_data_size?: number };
}

/** One form of requests and responses of the Open Inference Protocol, as a client writes and reads it. */
export interface ClientForm {
  request(resource: string, inputs: readonly NamedTensor[]): APIGatewayProxyEvent;
  outputs(response: APIGatewayProxyResult): readonly NamedTensor[];
}

/** Everything as JSON. */
export const JSON_FORM: ClientForm = {
  request: (resource, inputs) => {
    const written = inputs.map(
      ({ name, datatype, shape, data }) =>
        `{"name":${JSON.stringify(name)},"datatype":"${datatype}","shape":[${shape}],"data":[${elementsOf(datatype, data).map(jsonOf)}]}`,
    );
    return gatewayEvent(resource, { body: `{"inputs":[${written}]}` });
  },
  outputs: ({ body }) => {
    const { outputs } = parseJson(body) as { readonly outputs: readonly DescribedTensor[] };
    return outputs.map(({ name, datatype, shape, data = [] }) => ({
      name,
      datatype,
      shape,
      data: fromJson(datatype, data),
    }));
  },
};

const LENGTH_HEADER = 'inference-header-content-length';

/** Tensors as bytes behind a JSON part. */
export const BINARY_FORM: ClientForm = {
  request: (resource, inputs) => {
    const bodies = inputs.map(bytesOf);
    const header = Buffer.from(
      JSON.stringify({
        inputs: inputs.map(({ name, datatype, shape }, index) => ({
          name,
          datatype,
          shape,
          parameters: { binary_data_size: bodies[index]?.length },
        })),
        parameters: { binary_data_output: true },
      }),
    );
    return binaryEvent(resource, Buffer.concat([header, ...bodies]), {
      headers: {
        'Content-Type': 'application/octet-stream',
        'Inference-Header-Content-Length': String(header.length),
        Accept: 'application/octet-stream',
      },
    });
  },
  outputs: ({ body, headers = {} }) => {
    const bytes = Buffer.from(body, 'base64');
    const [, length] = Object.entries(headers).find(([name]) => name.toLowerCase() === LENGTH_HEADER) ?? [];
    let at = Number(length);
    const { outputs } = JSON.parse(bytes.toString('utf8', 0, at)) as { readonly outputs: readonly DescribedTensor[] };
    return outputs.map(({ name, datatype, shape, parameters }) => {
      const start = at;
      at += parameters?.binary_data_size ?? Number.NaN;
      return { name, datatype, shape, data: fromBytes(datatype, shape, bytes.subarray(start, at)) };
    });
  },
};

function elementsOf(datatype: Datatype, data: TensorData): readonly unknown[] {
  if (datatype === 'FP16') return [...new Float16Array((data as Uint16Array).slice().buffer)];
  return datatype === 'BOOL' ? Array.from(data as Uint8Array, (bit) => bit !== 0) : [...data];
}

function jsonOf(value: unknown): string {
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'number' && !Number.isFinite(value)) return `"${value}"`;
  return Object.is(value, -0) ? '-0.0' : JSON.stringify(value);
}

function fromJson(datatype: Datatype, values: readonly unknown[]): TensorData {
  if (datatype === 'BYTES') return values as readonly string[];
  if (datatype === 'FP16') return new Uint16Array(Float16Array.from(values as number[]).buffer);
  if (datatype === 'INT64') return BigInt64Array.from(values as (number | bigint)[], BigInt);
  if (datatype === 'UINT64') return BigUint64Array.from(values as (number | bigint)[], BigInt);
  const data = new ELEMENTS[datatype](values.length);
  data.set(values.map(Number));
  return data;
}

function bytesOf({ datatype, data }: Tensor): Buffer {
  if (datatype !== 'BYTES') {
    const { buffer, byteOffset, byteLength } = data as Uint8Array;
    return Buffer.from(buffer, byteOffset, byteLength);
  }
  return Buffer.concat(
    (data as readonly string[]).flatMap((text) => {
      const bytes = Buffer.from(text);
      const length = Buffer.alloc(4);
      length.writeUInt32LE(bytes.length);
      return [length, bytes];
    }),
  );
}

function fromBytes(datatype: Datatype, shape: readonly number[], bytes: Buffer): TensorData {
  if (datatype === 'BYTES') {
    const texts: string[] = [];
    for (let at = 0; at < bytes.length; ) {
      const end = at + 4 + bytes.readUInt32LE(at);
      texts.push(bytes.toString('utf8', at + 4, end));
      at = end;
    }
    return texts;
  }
  const data = new ELEMENTS[datatype](elementCount(shape));
  new Uint8Array(data.buffer).set(bytes);
  return data;
}
