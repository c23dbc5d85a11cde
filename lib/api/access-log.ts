/**
 * Members of the access log line of each request, which is one JSON object.
 * They include the key's id, but never its value and nothing of a body. The route is logged instead of the path, because a
 * path that is no route can hold anything.
 */
export const ACCESS_LOG_FIELDS = {
  requestId: '$context.requestId',
  time: '$context.requestTime',
  ip: '$context.identity.sourceIp',
  userAgent: '$context.identity.userAgent',
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
} as const;
