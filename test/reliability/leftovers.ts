import { ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import type { LocalStack } from '../../local/start.ts';
import { CALLERS_BUCKET } from './callers-bucket.ts';

/** Kinds of items that must not outlive the work that they belong to, by the beginning of their key. */
const EXPIRING = /^(job|file|batch|chunk|upload|part|async-run|deliveries)\//;

/**
 * Lists what is left in tables and buckets once all work has expired.
 *
 * @returns One entry for each kind, such as `3 of job`.
 */
export async function leftovers(stack: LocalStack): Promise<string[]> {
  const found = [...(await leftItems(stack)), ...(await leftObjects(stack))];
  const kinds = Map.groupBy(found, (name) => name.split('/')[0]);
  return [...kinds].map(([kind, names]) => `${names.length} of ${kind} (${names[0]})`);
}

async function leftItems({ plan, dynamodb }: LocalStack): Promise<string[]> {
  const names: string[] = [];
  for (const { name } of plan.tables.filter(({ create }) => JSON.stringify(create).includes('"pk"'))) {
    for (let start: unknown; ; ) {
      const page = await dynamodb.call('Scan', {
        TableName: name,
        ProjectionExpression: 'pk',
        ExclusiveStartKey: start,
      });
      for (const { pk } of page['Items'] as readonly { readonly pk: { readonly S: string } }[]) names.push(pk.S);
      start = page['LastEvaluatedKey'];
      if (start === undefined) break;
    }
  }
  return names.filter((name) => EXPIRING.test(name));
}

async function leftObjects({ plan, endpointUrl }: LocalStack): Promise<string[]> {
  const own = plan.buckets.filter(({ name }) => name !== CALLERS_BUCKET);
  const client = new S3Client({
    endpoint: endpointUrl,
    forcePathStyle: true,
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  });
  try {
    const lists = await Promise.all(own.map(({ name }) => client.send(new ListObjectsV2Command({ Bucket: name }))));
    return lists.flatMap(({ Contents: contents = [] }) => contents.map(({ Key: key = '' }) => `object ${key}`));
  } finally {
    client.destroy();
  }
}
