/**
 * Members of the access log line of each request, which is one JSON object.
 *
 * API Gateway writes the values of variables as they are, without escaping quotes. So no member holds anything that a
 * client chooses freely: not the user agent, not the path, whose route is logged instead. The key's id is included, but
 * never its value, and nothing of a body.
 */
export const ACCESS_LOG_FIELDS = {
  requestId: '$context.requestId',
  time: '$context.requestTime',
  ip: '$context.identity.sourceIp',
  apiKeyId: '$context.identity.apiKeyId',
  method: '$context.httpMethod',
  route: '$context.resourcePath',
  protocol: '$context.protocol',
  status: '$context.status',
  refusedAs: '$context.error.responseType',
  responseBytes: '$context.responseLength',
  latencyMs: '$context.responseLatency',
  integrationLatencyMs: '$context.integrationLatency',
  integrationStatus: '$context.integrationStatus',
  authorizerStatus: '$context.authorizer.integrationStatus',
} as const;
