import type { AwsRequestHead, AwsResponse } from './aws-service.ts';

/** An error for a request that reaches no service. */
export interface Refusal {
  readonly status: number;
  /** Code of the error, such as `NotImplemented`. */
  readonly type: string;
  readonly message: string;
}

/**
 * Renders an error in the form that the client of the service reads: JSON, the XML of services with the query protocol (STS,
 * IAM, CloudFormation, SNS), or the XML of S3.
 */
export function renderRefusal({ headers }: AwsRequestHead, { status, type, message }: Refusal): AwsResponse {
  const contentType = headers['content-type'] ?? '';
  if (headers['x-amz-target'] !== undefined || contentType.includes('json')) {
    const body = JSON.stringify({ __type: type, message });
    return { status, headers: { 'content-type': 'application/json' }, body };
  }
  const error = `<Code>${escapeXml(type)}</Code><Message>${escapeXml(message)}</Message>`;
  const isQuery = contentType.startsWith('application/x-www-form-urlencoded');
  const body = isQuery
    ? `<ErrorResponse><Error><Type>Sender</Type>${error}</Error></ErrorResponse>`
    : `<?xml version="1.0" encoding="UTF-8"?>\n<Error>${error}</Error>`;
  return { status, headers: { 'content-type': 'application/xml' }, body };
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
