import { expect, test } from '@jest/globals';
import { isLoopbackRequest } from '../../../local/aws/loopback-request.ts';

test.each([
  {},
  { host: 'localhost' },
  { host: 'localhost:3000' },
  { host: '127.0.0.1:3000' },
  { host: '127.1.2.3' },
  { host: '[::1]:3000' },
  { host: 'bucket.localhost:3000' },
  { host: 'LOCALHOST:3000', origin: 'http://localhost:5173' },
])('a request with %j is meant for this machine', (headers) => {
  expect(isLoopbackRequest(headers)).toBe(true);
});

test.each([
  { host: 'evil.example' },
  { host: 'evil.example:3000' },
  { host: '127.0.0.1.evil.example' },
  { host: 'localhost.evil.example' },
  { host: 'evil.example/localhost' },
  { host: '127.0.0.1@evil.example' },
  { host: '' },
  { host: '10.0.0.1' },
  { host: '127.0.0.1', origin: 'https://evil.example' },
  { host: '127.0.0.1', origin: 'null' },
  { host: '127.0.0.1', origin: 'http://localhost.evil.example' },
])('a request with %j may come from another site in a browser, and is refused', (headers) => {
  expect(isLoopbackRequest(headers)).toBe(false);
});
