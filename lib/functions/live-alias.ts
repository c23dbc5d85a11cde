import { RemovalPolicy } from 'aws-cdk-lib';
import { Alias, type AliasOptions, type Function as Fn } from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';

/** Name of the alias that callers and queues invoke. */
export const LIVE_ALIAS = 'live';

/** Versions outlive deployments, so that the alias can be pointed back at an earlier one. */
export const VERSION_OPTIONS = { removalPolicy: RemovalPolicy.RETAIN } as const;

/**
 * Creates the alias that callers and queues invoke. API and worker of a model have the same one, so that going back moves all
 * of a model.
 *
 * @param fn - A function with {@link VERSION_OPTIONS}.
 */
export function createLiveAlias(scope: Construct, fn: Fn, options: AliasOptions = {}): Alias {
  return new Alias(scope, 'Live', { ...options, aliasName: LIVE_ALIAS, version: fn.currentVersion });
}
