import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { EndpointServer } from '../../../local/aws/endpoint-server.ts';
import { SYSTEM_CLOCK } from '../../../local/time/clock.ts';

const AUTHORIZATION = 'AWS4-HMAC-SHA256 Credential=local/20261128/us-east-1/sts/aws4_request, Signature=0';

let endpoint: EndpointServer;

beforeAll(async () => {
  endpoint = await EndpointServer.listen(SYSTEM_CLOCK);
  endpoint.connect([], new Map());
});

afterAll(() => endpoint.close());

async function send(path: string, headers: Record<string, string>) {
  const response = await fetch(`${endpoint.url}${path}`, { method: 'POST', headers });
  return { status: response.status, type: response.headers.get('content-type'), text: await response.text() };
}

test('a service that does not run is refused in XML if its protocol is XML', async () => {
  const form = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8', authorization: AUTHORIZATION };
  const { status, type, text } = await send('/', form);
  expect([status, type]).toEqual([501, 'application/xml']);
  expect(text).toMatch(/^<ErrorResponse><Error><Type>Sender<\/Type><Code>NotImplemented<\/Code>.*no service sts/);
});

test('a service that does not run is refused in JSON if its protocol is JSON', async () => {
  const { status, text } = await send('/', { 'x-amz-target': 'Logs.DescribeLogGroups', authorization: AUTHORIZATION });
  expect(status).toBe(501);
  expect(JSON.parse(text)).toEqual({ __type: 'NotImplemented', message: expect.stringContaining('no service sts') });
});

test.each([
  ['without a signature', '/bucket/key', 'MissingAuthenticationToken', 'the request is not signed'],
  ['with a signature of version 2', '/b/k?AWSAccessKeyId=a&Signature=b&Expires=1', 'InvalidRequest', "'s3v4'"],
])('a URL %s is refused in the XML of S3', async (_, path, code, message) => {
  const { status, text } = await send(path, {});
  expect(status).toBe(403);
  expect(text).toContain(`<Error><Code>${code}</Code><Message>`);
  expect(text).toContain(message);
});
