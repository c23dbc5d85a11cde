import { Stack } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { AppError } from '../../core/errors.ts';

/**
 * Maximum size of a Lambda function's environment variables, names and values together.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
 */
const MAX_ENVIRONMENT_BYTES = 4096;

/** Length of `https://sqs.<region>.amazonaws.com.cn/<account>/`, the prefix of a queue's URL. */
const URL_BYTES = 57;

/** Length of the suffix that CloudFormation appends to stack and logical id, and maximum length of a queue's name. */
const NAME_SUFFIX_BYTES = 14;
const MAX_NAME_BYTES = 80;

/**
 * Checks that the environment of a function does not exceed AWS Lambda's limit. Without this check, the deployment
 * would fail halfway.
 *
 * @throws AppError `CONFIG_INVALID` when it is.
 */
export function checkEnvironmentSize(scope: Construct, environment: Readonly<Record<string, string>>): void {
  const stack = Stack.of(scope);
  const total = Object.entries(environment)
    .map(([name, value]) => Buffer.byteLength(name) + byteLength(stack.resolve(value), stack))
    .reduce((sum, bytes) => sum + bytes, 0);
  if (total <= MAX_ENVIRONMENT_BYTES) return;
  throw new AppError(
    'CONFIG_INVALID',
    `${scope.node.path} needs ${total} bytes of environment variables, AWS Lambda takes ${MAX_ENVIRONMENT_BYTES}: ` +
      'put some of the models into an InferenceApi and Jobs of their own, or name fewer reply queues and input buckets',
  );
}

function byteLength(value: unknown, stack: Stack): number {
  if (typeof value === 'string') return Buffer.byteLength(value);
  const [[kind, target] = []] = Object.entries(value ?? {});
  if (kind === 'Fn::Join' && Array.isArray(target)) {
    const [delimiter, parts] = target as [string, readonly unknown[]];
    return parts.reduce<number>((sum, part) => sum + byteLength(part, stack) + delimiter.length, 0);
  }
  return URL_BYTES + Math.min(MAX_NAME_BYTES, nameBytes(target, stack));
}

/** Length of a name that CloudFormation will generate, or the maximum if it is unknown. */
function nameBytes(target: unknown, stack: Stack): number {
  if (typeof target !== 'string') return MAX_NAME_BYTES;
  return stack.stackName.length + target.length + NAME_SUFFIX_BYTES;
}
