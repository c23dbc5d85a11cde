import type { Compute, SageMakerCompute } from '../models/manifest.ts';
import type { ContainerMessage } from '../protocols/container-message.ts';
import { decodeTeiAnswer, encodeTeiRequest } from '../protocols/tei-embed.ts';
import { decodeTritonAnswer, decodeTritonBody, encodeTritonRequest } from '../protocols/triton-binary.ts';
import type { Tensor } from '../tensors/tensor.ts';

/** How a kind of container is asked to run a model. */
export interface ContainerCodec {
  /**
   * Writes a request.
   *
   * @param timeoutMs - How long it may wait in the container, where that can be told.
   */
  encode(inputs: Readonly<Record<string, Tensor>>, timeoutMs?: number): ContainerMessage;
  /**
   * Reads an answer.
   *
   * @throws AppError `BAD_GATEWAY` when it is not one.
   */
  decode(answer: ContainerMessage): Record<string, Tensor>;
  /**
   * Reads an answer whose media type was lost, as in the objects that asynchronous endpoints write.
   *
   * @throws AppError `BAD_GATEWAY` when it is not one.
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

/** What of `compute` tells the codec. */
type Target = Pick<Compute, 'target'> & Partial<Pick<SageMakerCompute, 'container'>>;

/** The codec of a model's containers. */
export function codecOf({ container }: Target): ContainerCodec {
  return container === 'tei' ? TEI : TRITON;
}
