/** A service with requests that this product signs itself. */
export type SignedService = 'apigateway' | 'dynamodb' | 'ssm';

/** Variable with the endpoint of each service, as the AWS SDK names it. */
const ENDPOINT_VARIABLES: Readonly<Record<SignedService, string>> = {
  apigateway: 'AWS_ENDPOINT_URL_API_GATEWAY',
  dynamodb: 'AWS_ENDPOINT_URL_DYNAMODB',
  ssm: 'AWS_ENDPOINT_URL_SSM',
};

/** Where an AWS service is, and whose credentials sign the requests. */
export interface SignedSettings {
  /** URL without a path. */
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string;
  };
}

/**
 * Reads the settings that Lambda gives every function. Its credentials stay the same as long as the environment lives.
 *
 * @param service - Name of the service in its host name: `dynamodb`.
 * @throws Error when a variable is missing.
 */
export function signedSettings(
  variables: Readonly<Record<string, string | undefined>>,
  service: SignedService,
): SignedSettings {
  const read = (name: string): string => {
    const value = variables[name];
    if (value === undefined || value === '') throw new Error(`environment variable ${name} is not set`);
    return value;
  };
  const region = read('AWS_REGION');
  const domain = region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com';
  const { AWS_ENDPOINT_URL: all, AWS_SESSION_TOKEN: sessionToken } = variables;
  const own = variables[ENDPOINT_VARIABLES[service]];
  return {
    endpoint: own ?? all ?? `https://${service}.${region}.${domain}`,
    region,
    credentials: {
      accessKeyId: read('AWS_ACCESS_KEY_ID'),
      secretAccessKey: read('AWS_SECRET_ACCESS_KEY'),
      ...(sessionToken === undefined ? {} : { sessionToken }),
    },
  };
}
