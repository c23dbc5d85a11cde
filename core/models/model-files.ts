import type { Manifest } from './manifest.ts';
import { PACKED_TOKENIZER } from './packed-files.ts';

/** Name of the manifest in a model folder. */
export const MANIFEST_FILE = 'model.yaml';

/** Name of the file with texts that a model is measured by; calibration has not seen them. */
export const GOLDEN_FILE = 'golden.json';

/** Name of the file with the texts or requests that a model was calibrated with. */
export const CALIBRATION_FILE = 'calibration.json';

/** Returns the path of the configuration in the folder of the weights, as Hugging Face's libraries save it. */
export function configPath(weights: string): string {
  return weights.replace(/[^/]*$/, 'config.json');
}

/**
 * Lists the files of a model folder that affect its packed model, in addition to the manifest and the weights, whose
 * hashes are in the manifest. The packer reads no others; each may be absent.
 *
 * @returns Paths relative to the folder.
 */
export function packingInputs({ compute, tokenizer, versions }: Manifest): readonly string[] {
  const named = tokenizer === undefined ? [] : [tokenizer];
  if (compute.target === 'lambda') return named;
  // Golden texts are read with the tokenizer, whether the manifest names one or not.
  if (compute.container === 'triton') return [tokenizer ?? PACKED_TOKENIZER, GOLDEN_FILE, CALIBRATION_FILE];
  const configs = Object.values(versions).map((version) => configPath((version.sagemaker ?? version).weights));
  return [...new Set([...named, ...configs])];
}
