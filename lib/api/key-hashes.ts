import { CustomResource } from 'aws-cdk-lib';
import type { ApiKey } from 'aws-cdk-lib/aws-apigateway';
import { Grant } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { chunksOf } from '../../core/chunks-of.ts';
import { FUNCTIONS } from '../../core/functions/functions.ts';
import { KEYS_PER_VARIABLE, keyHashesVariable } from '../../core/identity/key-hashes.ts';
import { ServiceFunction, type ServiceFunctionOptions } from '../functions/service-function.ts';
import { bundlePackage } from '../packaging/function-package.ts';
import { functionBundle } from '../packaging/package-layout.ts';

/** Settings of {@link KeyHashes}. */
export interface KeyHashesProps extends Required<ServiceFunctionOptions> {
  /** The keys of the deployment. */
  readonly keys: readonly ApiKey[];
}

/**
 * The SHA-256 hashes of API keys, for the authorizer.
 *
 * AWS generates the values of keys, so they are known to no template. A custom resource reads them while CloudFormation
 * deploys, and returns their hashes only (docs/adr/013-one-key-two-headers.md).
 */
export class KeyHashes extends Construct {
  /** The function behind the custom resources. */
  readonly function: ServiceFunction;
  /** Stage variables with the hashes, by name. */
  readonly variables: Readonly<Record<string, string>>;

  constructor(scope: Construct, id: string, { keys, ...options }: KeyHashesProps) {
    super(scope, id);
    const { description, memoryMiB, timeoutSeconds } = FUNCTIONS['hash-keys'];
    this.function = new ServiceFunction(this, 'hash-keys', {
      ...options,
      description,
      memoryMiB,
      timeoutSeconds,
      package: bundlePackage(functionBundle('hash-keys')),
      environment: {},
    });
    const grant = Grant.addToPrincipal({
      grantee: this.function,
      actions: ['apigateway:GET'],
      resourceArns: keys.map(({ keyArn }) => keyArn),
    });
    this.variables = Object.fromEntries(this.#hashAll(keys, grant));
  }

  /** The custom resources wait for one another: API Gateway answers ten calls a second for the whole account. */
  #hashAll(keys: readonly ApiKey[], grant: Grant): readonly (readonly [string, string])[] {
    let earlier: CustomResource | undefined;
    return chunksOf(keys, KEYS_PER_VARIABLE).map((chunk, index) => {
      const hashes = new CustomResource(this, `Hashes${index}`, {
        serviceToken: this.function.fn.functionArn,
        resourceType: 'Custom::TensorgateKeyHashes',
        properties: { KeyIds: chunk.map(({ keyId }) => keyId) },
      });
      grant.applyBefore(hashes);
      if (earlier !== undefined) hashes.node.addDependency(earlier);
      earlier = hashes;
      return [keyHashesVariable(index), hashes.getAttString('Hashes')];
    });
  }
}
