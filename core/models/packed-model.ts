import * as v from 'valibot';
import { objectOf, parse, text, wholeNumber } from '../parse.ts';
import { DATATYPE_BYTES, type Datatype } from '../tensors/tensor.ts';
import { type Manifest, manifestSchema } from './manifest.ts';

const tensorDescriptionSchema = objectOf({
  name: v.string('must be a string'),
  datatype: v.picklist(Object.keys(DATATYPE_BYTES) as Datatype[], 'must be a datatype of the Open Inference Protocol'),
  shape: v.array(wholeNumber(-1, Number.MAX_SAFE_INTEGER), 'must be a list of dimensions'),
  /** Present if the file leaves the number of dimensions open. */
  anyRank: v.optional(v.literal(true, 'must be true')),
});

const packedTensorSchema = objectOf({
  /** Name of the input or output. */
  name: v.string('must be a string'),
  /** Length of each dimension, or its name, or `?` if it varies and has none; absent if no dimension has a name. */
  dimensions: v.optional(
    v.array(v.union([v.number(), v.string()], 'must be a length or a name'), 'must be a list of dimensions'),
  ),
  /** Classes that the columns stand for; absent if the file does not name them. */
  labels: v.optional(
    v.array(v.union([v.number(), v.string()], 'must be a number or a string'), 'must be a list of classes'),
  ),
});

const packedMetadataSchema = objectOf({
  /** Inputs and outputs with names of dimensions or classes. */
  tensors: v.array(packedTensorSchema, 'must be a list of tensors'),
  /** `metadata_props` of the file. */
  properties: v.record(v.string(), v.string('must be a string'), 'must map names to texts'),
  /** Names of properties that are left out because they are too large, and of tensors whose classes are. */
  omitted: v.array(v.string('must be a string'), 'must be a list of names'),
});

/** Metadata of a model in its ONNX file, besides the graph. */
export type PackedMetadata = v.InferOutput<typeof packedMetadataSchema>;

const packedVersionSchema = objectOf({
  /** Path of the `.ort` file, relative to the packed model. */
  file: v.string('must be a path'),
  /** SHA-256 of the weight file, or over it and the files that it stores tensors in: part of every fingerprint. */
  sha256: text(/^[0-9a-f]{64}$/, 'a SHA-256'),
  /** Size of the `.ort` file. */
  bytes: wholeNumber(1, Number.MAX_SAFE_INTEGER),
  /** Outcome of the conversion of CPU weights for a GPU; absent if they were not converted. */
  folded: v.optional(
    objectOf({
      /** Mean and minimum cosine similarity to the results of the original; absent if the folder has no samples. */
      meanCosine: v.optional(v.number('must be a number')),
      minCosine: v.optional(v.number('must be a number')),
      /** Inputs that were compared. */
      inputs: wholeNumber(0, Number.MAX_SAFE_INTEGER),
    }),
  ),
  /** Meaning of the first dimension of the tensors, for tasks that use it; absent if it is not a batch. */
  rows: v.optional(v.picklist(['independent', 'together'], 'must be independent or together')),
  /** Metadata of the model in its file; absent if there is none. */
  metadata: v.optional(packedMetadataSchema),
  inputs: v.array(tensorDescriptionSchema, 'must be a list of tensors'),
  outputs: v.array(tensorDescriptionSchema, 'must be a list of tensors'),
});

/**
 * `model.json` of a packed model: the folder that a function's package carries.
 * The folder also has the `.ort` files and, for text models, the tokenizer under `PACKED_TOKENIZER`.
 */
export const packedModelSchema = objectOf({
  manifest: manifestSchema,
  versions: v.record(v.string(), packedVersionSchema, 'must map version numbers to packed versions'),
  shadow: v.optional(packedVersionSchema),
});

/** A model ready to be served: its manifest, and the declarations of its ONNX files. */
export interface PackedModel {
  readonly manifest: Manifest;
  /** Versions that requests can name. */
  readonly versions: Readonly<Record<string, PackedVersion>>;
  /** The version that the manifest names as `shadow`: it gets copies of requests, and its responses are discarded. */
  readonly shadow?: PackedVersion | undefined;
}

/** One version of a packed model. */
export type PackedVersion = v.InferOutput<typeof packedVersionSchema>;

/** Returns all deployed versions: those that requests can name, and the shadow. */
export function deployedVersions({ manifest, versions, shadow }: PackedModel): Readonly<Record<string, PackedVersion>> {
  if (manifest.shadow === undefined || shadow === undefined) return versions;
  return { ...versions, [manifest.shadow.version]: shadow };
}

/**
 * Reads a parsed `model.json`.
 *
 * @throws AppError `MANIFEST_INVALID` that lists all problems.
 */
export function parsePackedModel(value: unknown, source: string): PackedModel {
  return parse(packedModelSchema, value, source, 'MANIFEST_INVALID');
}
