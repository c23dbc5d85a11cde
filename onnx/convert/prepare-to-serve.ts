import { AppError } from '../../core/errors.ts';
import { graphOf } from '../format/graph.ts';
import { callerInputs } from '../format/inspect.ts';
import type { ModelProto, TypeProto, ValueInfoProto } from '../format/onnx-messages.ts';
import { dropZipMaps } from './drop-zip-map.ts';
import { usePortableLocale } from './portable-locale.ts';
import { spreadSequences } from './spread-sequences.ts';

/** A model that can be served. */
export interface ServableModel {
  readonly model: ModelProto;
  /** Whether it differs from the model as it was exported. */
  readonly isChanged: boolean;
}

/**
 * Changes what exporters write by default and what cannot be served: outputs that are maps or sequences become tensors, and
 * locales that functions lack become one that they have.
 *
 * @param exported - May be changed in place.
 * @param source - Name of the file in messages.
 * @throws AppError `ONNX_INVALID` that says what to do when an input or output is still no tensor.
 */
export function prepareToServe(exported: ModelProto, source: string): ServableModel {
  const hasOtherLocale = usePortableLocale(exported);
  const model = spreadSequences(dropZipMaps(exported));
  for (const value of callerInputs(model)) requireTensor(value, `${source}: input`);
  for (const value of graphOf(model).output) requireTensor(value, `${source}: output`);
  return { model, isChanged: hasOtherLocale || model !== exported };
}

function requireTensor({ name, type }: ValueInfoProto, what: string): void {
  const kind = type?.value.case;
  if (type === undefined || kind === undefined || kind === 'tensorType') return;
  const [found, wayOut] = describe(type);
  throw new AppError('ONNX_INVALID', `${what} ${name} is ${found}, but only tensors can be served: ${wayOut}`);
}

/** Describes a value that is not a tensor, with advice for its author. */
function describe({ value }: TypeProto): readonly [found: string, wayOut: string] {
  if (value.case === 'mapType') {
    return ['a map', "use a matrix instead of maps; with scikit-learn, convert with options={'zipmap': False}"];
  }
  if (value.case === 'sequenceType') {
    const elements = value.value.elemType?.value.case;
    if (elements === 'mapType') {
      return ['a sequence of maps', "with scikit-learn, convert with options={'zipmap': False}"];
    }
    return ['a sequence', 'join its tensors in the model, for example by ConcatFromSequence, or name each of them'];
  }
  if (value.case === 'optionalType') return ['optional', 'export the model with a value that is always there'];
  return ['a sparse tensor', 'make it dense in the model'];
}
