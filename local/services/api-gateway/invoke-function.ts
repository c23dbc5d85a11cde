import { compilePattern } from '../../iam/patterns.ts';
import type { InvokePermission } from '../../template/plan-functions.ts';
import type { InvocationResult } from '../lambda/invocation.ts';
import type { InvokeRequest, LambdaHost } from '../lambda/lambda-host.ts';

/**
 * Invokes a function and waits for a limited time.
 *
 * @param timeoutMs - Maximum wait in milliseconds.
 * @returns The result; undefined once the wait is over. The function then runs on, as it does on AWS.
 */
export async function invokeWithin(
  host: Pick<LambdaHost, 'invoke'>,
  request: Pick<InvokeRequest, 'functionName' | 'payload'>,
  timeoutMs: number,
): Promise<InvocationResult | undefined> {
  const giveUp = new AbortController();
  const { promise: timeout, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => {
    resolve(undefined);
    giveUp.abort();
  }, timeoutMs);
  try {
    return await Promise.race([host.invoke({ ...request, signal: giveUp.signal }), timeout]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Returns whether API Gateway may invoke a function.
 *
 * @param sourceArn - ARN of the method or authorizer that invokes it.
 */
export function mayInvoke(permissions: readonly InvokePermission[], functionArn: string, sourceArn: string): boolean {
  return permissions.some(
    (permission) =>
      permission.functionArn === functionArn &&
      permission.principal === 'apigateway.amazonaws.com' &&
      (permission.sourceArn === undefined || compilePattern(permission.sourceArn)(sourceArn)),
  );
}

/** Returns the sentence for a developer whose template lacks a permission. */
export function missingPermission(functionArn: string): string {
  return `no AWS::Lambda::Permission lets API Gateway invoke ${functionArn}`;
}
