import type { PackedMetadata } from '../../core/models/packed-model.ts';
import { labelsOf } from '../convert/drop-zip-map.ts';
import { graphOf } from '../format/graph.ts';
import { callerInputs, isDimensionName, signatureOf } from '../format/inspect.ts';
import type { ModelProto } from '../format/onnx-messages.ts';

/**
 * Maximum bytes of names and texts in the packed description of a version, as UTF-8. Functions read them when they
 * start, and the template of the API carries them.
 */
const MAX_METADATA_BYTES = 16_384;

type TensorMetadata = PackedMetadata['tensors'][number];

/**
 * Collects what an ONNX file says about a model besides its graph: names of dimensions and classes, and `metadata_props`.
 * What does not fit into {@link MAX_METADATA_BYTES} is left out and named.
 *
 * @param model - The model as it is served.
 * @param exported - The model as it was exported, if it was changed to be served.
 * @returns Undefined if the file says nothing.
 */
export function describeMetadata(model: ModelProto, exported = model): PackedMetadata | undefined {
  const budget = new Budget();
  const values = [...callerInputs(model), ...graphOf(model).output];
  const dimensions = values.map(signatureOf).flatMap(({ name, shape }): TensorMetadata[] => {
    const isNamed = shape.some(isDimensionName);
    return isNamed && budget.takes(name, shape) ? [{ name, dimensions: [...shape] }] : [];
  });
  const labels = graphOf(model).output.flatMap(({ name }): TensorMetadata[] => {
    const found = labelsOf(exported, name) ?? labelsOf(model, name);
    return found !== undefined && budget.takes(name, found) ? [{ name, labels: [...found] }] : [];
  });
  const properties = model.metadataProps.filter(({ key, value }) => budget.takes(key, value));
  const named = Map.groupBy([...dimensions, ...labels], ({ name }) => name);
  const tensors = [...named.values()].map((parts): TensorMetadata => Object.assign({}, ...parts));
  if (tensors.length + properties.length + budget.omitted.length === 0) return undefined;
  return {
    tensors,
    properties: Object.fromEntries(properties.map(({ key, value }) => [key, value])),
    omitted: [...new Set(budget.omitted)],
  };
}

/** Counts bytes, and notes what exceeds them. */
class Budget {
  readonly omitted: string[] = [];
  #left = MAX_METADATA_BYTES;

  takes(name: string, value: unknown): boolean {
    const bytes = Buffer.byteLength(JSON.stringify([name, value]));
    if (bytes > this.#left) {
      this.omitted.push(name);
      return false;
    }
    this.#left -= bytes;
    return true;
  }
}
