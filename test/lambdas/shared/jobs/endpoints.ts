import type { QueuesAndBuckets, Tables } from './job-servers.ts';

/**
 * Lets clients that are opened without settings of their own find the servers of a test, by the variables that the AWS
 * SDK reads.
 *
 * @returns What puts the variables back.
 */
export function withEndpoints(tables: Tables, servers: QueuesAndBuckets): () => void {
  const before = { ...process.env };
  Object.assign(process.env, {
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_ENDPOINT_URL: servers.url,
    AWS_ENDPOINT_URL_DYNAMODB: tables.server.client.endpoint,
    AWS_ENDPOINT_URL_SSM: servers.parametersUrl,
  });
  return () => {
    process.env = before;
  };
}
