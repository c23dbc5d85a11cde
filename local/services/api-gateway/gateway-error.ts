/** A response that API Gateway returns by itself, if the template does not change it. */
interface DefaultResponse {
  readonly status: number;
  /** Value of `x-amzn-ErrorType`. */
  readonly errorType: string;
  /** Null where AWS gives no reason. */
  readonly message: string | null;
  /** Whether the body has a space after the colon on AWS: some do, others do not. */
  readonly blank?: boolean;
}

/** Every gateway response of local mode, as AWS returns it. */
export const GATEWAY_RESPONSES = {
  ACCESS_DENIED: {
    status: 403,
    errorType: 'AccessDeniedException',
    message: 'User is not authorized to access this resource',
  },
  API_CONFIGURATION_ERROR: {
    status: 500,
    errorType: 'InternalServerErrorException',
    message: 'Internal server error',
    blank: true,
  },
  AUTHORIZER_CONFIGURATION_ERROR: { status: 500, errorType: 'AuthorizerConfigurationException', message: null },
  AUTHORIZER_FAILURE: { status: 500, errorType: 'AuthorizerConfigurationException', message: null },
  BAD_REQUEST_BODY: { status: 400, errorType: 'BadRequestException', message: 'Invalid request body', blank: true },
  BAD_REQUEST_PARAMETERS: { status: 400, errorType: 'BadRequestException', message: 'Bad Request', blank: true },
  DEFAULT_5XX: {
    status: 502,
    errorType: 'InternalServerErrorException',
    message: 'Internal server error',
    blank: true,
  },
  INTEGRATION_FAILURE: {
    status: 500,
    errorType: 'InternalServerErrorException',
    message: 'Internal server error',
    blank: true,
  },
  INTEGRATION_TIMEOUT: {
    status: 504,
    errorType: 'InternalServerErrorException',
    message: 'Endpoint request timed out',
    blank: true,
  },
  INVALID_API_KEY: { status: 403, errorType: 'ForbiddenException', message: 'Forbidden' },
  INVALID_SIGNATURE: {
    status: 403,
    errorType: 'IncompleteSignatureException',
    message: 'Invalid key=value pair (missing equal-sign) in Authorization header.',
  },
  MISSING_AUTHENTICATION_TOKEN: {
    status: 403,
    errorType: 'MissingAuthenticationTokenException',
    message: 'Missing Authentication Token',
  },
  QUOTA_EXCEEDED: { status: 429, errorType: 'LimitExceededException', message: 'Limit Exceeded' },
  REQUEST_TOO_LARGE: { status: 413, errorType: 'RequestTooLargeException', message: 'Request Too Long' },
  THROTTLED: { status: 429, errorType: 'TooManyRequestsException', message: 'Too Many Requests' },
  UNAUTHORIZED: { status: 401, errorType: 'UnauthorizedException', message: 'Unauthorized' },
  UNSUPPORTED_MEDIA_TYPE: {
    status: 415,
    errorType: 'UnsupportedMediaTypeException',
    message: 'Unsupported Media Type',
  },
} as const satisfies Record<string, DefaultResponse>;

/** Largest body that API Gateway takes, in bytes, before and after decompression. */
export const MAX_BODY_BYTES = 10_485_760;

/** A type of gateway response. */
export type GatewayResponseType = keyof typeof GATEWAY_RESPONSES;

/** A request that API Gateway rejects, or whose integration failed. */
export class GatewayError extends Error {
  readonly responseType: GatewayResponseType;

  /**
   * @param message - Value of `$context.error.message`. Defaults to AWS's sentence for the type.
   */
  constructor(responseType: GatewayResponseType, message?: string, options?: { readonly cause?: unknown }) {
    super(message ?? GATEWAY_RESPONSES[responseType].message ?? '', options);
    this.name = 'GatewayError';
    this.responseType = responseType;
  }

  /** The response of AWS. */
  get defaults(): DefaultResponse {
    return GATEWAY_RESPONSES[this.responseType];
  }
}
