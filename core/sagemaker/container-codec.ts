import type { Compute, SageMakerCompute } from '../models/manifest.ts';
import type { ContainerMessage } from '../protocols/container-message.ts';
import { decodeTeiAnswer, encodeTeiRequest } from '../protocols/tei-embed.ts';
import { decodeTritonAnswer, decodeTritonBody, encodeTritonRequest } from '../protocols/triton-binary.ts';
import type { Tensor } from '../tensors/tensor.ts';

/** Encodes requests to a kind of container, and decodes its responses. */
export interface ContainerCodec {
  /**
   * Writes a request.
   *
   * @param timeoutMs - Maximum time that it waits in the container, for containers that support one.
   */
  encode(inputs: Readonly<Record<string, Tensor>>, timeoutMs?: number): ContainerMessage;
  /**
   * Reads a response.
   *
   * @throws AppError `BAD_GATEWAY` if it is invalid.
   */
  decode(answer: ContainerMessage): Record<string, Tensor>;
  /**
   * Reads a response without its media type, as in the objects that asynchronous endpoints write.
   *
   * @throws AppError `BAD_GATEWAY` if it is invalid.
   */
  decodeBody(body: Uint8Array): Record<string, Tensor>;
}

const TRITON: ContainerCodec = {
  encode: encodeTritonRequest,
  decode: decodeTritonAnswer,
  decodeBody: decodeTritonBody,
};

const TEI: ContainerCodec = {
  encode: (inputs) => encodeTeiRequest(inputs),
  decode: ({ body }) => decodeTeiAnswer(body),
  decodeBody: decodeTeiAnswer,
};

/** The members of `compute` that select the codec. */
type Target = Pick<Compute, 'target'> & Partial<Pick<SageMakerCompute, 'container'>>;

/** Returns the codec of a model's containers. */
export function codecOf({ container }: Target): ContainerCodec {
  return container === 'tei' ? TEI : TRITON;
}
