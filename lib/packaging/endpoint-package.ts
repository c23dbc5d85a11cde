import { deployedVersions } from '../../core/models/packed-model.ts';
import { tritonConfigOf } from '../../core/sagemaker/triton-config.ts';
import { hashFacts } from './content-hash.ts';
import type { Model } from './model.ts';
import { PACKAGE_VERSION } from './package-layout.ts';

/**
 * Identifies the `model.tar.gz` of a version by its content. Its bytes depend on the compressor, and no
 * deployment should follow from that.
 *
 * @returns 64 lower-case hexadecimal digits.
 */
export function endpointPackageHash({ packed }: Model, version: string): string {
  const { sha256 = '', inputs = [], outputs = [] } = deployedVersions(packed)[version] ?? {};
  const { manifest } = packed;
  const { compute } = manifest;
  const isTei = compute.target === 'sagemaker' && compute.container === 'tei';
  const config = isTei ? 'tei' : tritonConfigOf(manifest, version, { inputs, outputs });
  return hashFacts([PACKAGE_VERSION, manifest.id, version, sha256, config]);
}
