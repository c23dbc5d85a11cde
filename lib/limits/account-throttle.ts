import { Annotations, Stack, Token } from 'aws-cdk-lib';
import type { Construct } from 'constructs';

/** Rate and burst of a throttle. */
interface Throttle {
  readonly rateLimit: number;
  readonly burstLimit: number;
}

/**
 * Regions in which API Gateway has a lower default quota for an account: 2500 requests a second, and bursts of 1250.
 *
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
 */
const SMALL_REGIONS: readonly string[] = [
  'af-south-1',
  'ap-south-2',
  'ap-southeast-3',
  'ap-southeast-4',
  'ap-southeast-5',
  'ap-southeast-7',
  'ca-west-1',
  'eu-central-2',
  'eu-south-1',
  'eu-south-2',
  'il-central-1',
  'me-central-1',
  'mx-central-1',
];

const SMALL: Throttle = { rateLimit: 2500, burstLimit: 1250 };

/**
 * Warns of throttles above the quota that an account has by default in the region of the stack: callers get less than the
 * configuration says, and API Gateway may refuse the number. It does not fail, because the quota can be raised.
 */
export function warnOfAccountThrottle(
  scope: Construct,
  { throttle, usagePlans }: { readonly throttle: Throttle; readonly usagePlans: Readonly<Record<string, Throttle>> },
): void {
  const { region } = Stack.of(scope);
  if (Token.isUnresolved(region) || !SMALL_REGIONS.includes(region)) return;
  const all = [
    ['throttle', throttle],
    ...Object.entries(usagePlans).map(([name, plan]) => [`usagePlans.${name}`, plan]),
  ] as const;
  const above = (all as readonly (readonly [string, Throttle])[])
    .filter(([, { rateLimit, burstLimit }]) => rateLimit > SMALL.rateLimit || burstLimit > SMALL.burstLimit)
    .map(([path]) => path);
  if (above.length === 0) return;
  Annotations.of(scope).addWarningV2(
    'Tensorgate:Throttle',
    `${above.join(', ')} exceed the quota that an account has by default in ${region}: ${SMALL.rateLimit} requests a second and bursts of ${SMALL.burstLimit}; lower rateLimit and burstLimit, or request a higher quota of API Gateway`,
  );
}
