import { S3Client } from '@aws-sdk/client-s3';
import type { Clock } from '../../../../core/clock.ts';
import { EndpointServer } from '../../../../local/aws/endpoint-server.ts';
import { compilePolicies } from '../../../../local/iam/policy.ts';
import { DEVELOPER_CREDENTIALS, type Principal } from '../../../../local/iam/principals.ts';
import { ObjectEngine } from '../../../../local/services/s3/object-engine.ts';
import { S3Service } from '../../../../local/services/s3/s3-service.ts';
import type { LifecycleRule } from '../../../../local/template/plan-buckets.ts';
import { removeFolder, temporaryFolder } from '../../fixture-app.ts';

/** Local mode's S3 behind its endpoint. */
export interface TestS3 {
  readonly url: string;
  /** Folder in which the engine has its own. */
  readonly folder: string;
  readonly engine: ObjectEngine;
  /** Client of the developer, who may do everything. */
  readonly client: S3Client;
  /** Client of a principal of {@link startS3}. */
  clientOf(accessKeyId: string): S3Client;
  close(): Promise<void>;
}

/** Settings of {@link startS3}. */
export interface TestS3Options {
  readonly clock: Clock;
  /** Buckets by name, each with the rules of its lifecycle. */
  readonly buckets: Readonly<Record<string, readonly LifecycleRule[]>>;
  /** Statements of principals by access key id. */
  readonly principals?: Readonly<Record<string, readonly unknown[]>>;
}

/** Starts S3 on a free port. */
export async function startS3({ clock, buckets, principals = {} }: TestS3Options): Promise<TestS3> {
  const folder = await temporaryFolder();
  const plans = Object.entries(buckets).map(([name, lifecycle]) => ({
    name,
    lifecycle,
    logicalId: name,
    arn: `arn:aws:s3:::${name}`,
  }));
  const engine = await ObjectEngine.open(folder, plans, clock);
  const endpoint = await EndpointServer.listen(clock);
  const callers = new Map<string, Principal>([
    [DEVELOPER_CREDENTIALS, { arn: 'arn:aws:iam::000000000000:root', judge: () => 'allowed', functionName: undefined }],
  ]);
  for (const [key, statements] of Object.entries(principals)) {
    const judge = compilePolicies([{ Statement: statements }]);
    callers.set(key, { arn: `arn:aws:sts::000000000000:assumed-role/${key}/${key}`, judge, functionName: key });
  }
  endpoint.connect([new S3Service(engine)], callers);
  const clients: S3Client[] = [];
  const clientOf = (accessKeyId: string): S3Client => {
    const credentials = { accessKeyId, secretAccessKey: 'local' };
    const client = new S3Client({ endpoint: endpoint.url, region: 'us-east-1', credentials, maxAttempts: 1 });
    clients.push(client);
    return client;
  };
  return {
    url: endpoint.url,
    folder,
    engine,
    clientOf,
    client: clientOf(DEVELOPER_CREDENTIALS),
    close: async () => {
      for (const client of clients) client.destroy();
      await endpoint.close();
      await engine.close();
      await removeFolder(folder);
    },
  };
}
