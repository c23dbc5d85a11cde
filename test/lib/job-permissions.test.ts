import { describe, expect, it } from '@jest/globals';
import type { Template } from 'aws-cdk-lib/assertions';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { InferenceApi, Jobs } from '../../lib/index.ts';
import { packedEmbedding, packedTensor } from './packed-models.ts';
import { otherStack, templateOf } from './synthesized-api.ts';
import { permissionsOf } from './synthesized-jobs.ts';

/** A deployment in one stack, with all that jobs can have. */
function deploy(): Template {
  const stack = otherStack();
  const models = [packedEmbedding('one'), packedTensor('two')];
  const jobs = new Jobs(stack, 'Jobs', {
    ...{ models, replyQueues: ['results'] },
    inputBuckets: [Bucket.fromBucketName(stack, 'Inputs', 'inputs')],
  });
  new InferenceApi(stack, 'Api', { models, jobs });
  return templateOf(stack);
}

const template = deploy();

const FUNCTIONS = [
  'Apione',
  'Apitwo',
  'ApiJobRoutesservejobs',
  'ApiJobRoutesservebatches',
  'JobsFunctionsacceptjobs',
  'JobsFunctionsfaillostjobs',
  'JobsFunctionsprocessbatches',
  'JobsFunctionsdeliverwebhooks',
  'JobsFunctionssweeprecords',
  'JobsFunctionsrunjobsone',
  'JobsFunctionsrunjobstwo',
];

/** Names of functions that may do something to a resource. */
function allowed(action: RegExp, target: string): readonly string[] {
  return FUNCTIONS.filter((name) =>
    Object.entries(permissionsOf(template, name)).some(
      ([granted, targets]) => action.test(granted) && targets.includes(target),
    ),
  );
}

describe('permissions of functions around jobs', () => {
  it('let only the functions that sign deliveries, show secrets and drop deliveries touch the table of webhooks', () => {
    expect(allowed(/^dynamodb:/, 'JobsWebhooksTable')).toEqual([
      'ApiJobRoutesservejobs',
      'ApiJobRoutesservebatches',
      'JobsFunctionsdeliverwebhooks',
    ]);
  });

  it('let functions that list records use the index, and none read the whole table', () => {
    expect(allowed(/^dynamodb:Query$/, 'JobsRecordsTable/index/byOwner')).toEqual([
      'ApiJobRoutesservejobs',
      'ApiJobRoutesservebatches',
    ]);
    expect(allowed(/^dynamodb:(Scan|\*)/, 'JobsRecordsTable')).toEqual([]);
  });

  it('let only the sweep list due records and look at the depth of queues that it does not consume', () => {
    expect(allowed(/^dynamodb:Query$/, 'JobsRecordsTable/index/byDue')).toEqual(['JobsFunctionssweeprecords']);
    expect(permissionsOf(template, 'JobsFunctionssweeprecords')).toMatchObject({
      'sqs:GetQueueAttributes': [
        'JobsQueuesbatches',
        'JobsQueueschunksone',
        'JobsQueueschunkstwo',
        'JobsQueuesjobsone',
        'JobsQueuesjobstwo',
        'JobsQueueslostjobs',
      ],
      'dynamodb:UpdateItem': ['JobsRecordsTable'],
    });
  });

  it.each([
    ['JobsQueuesjobs', ['JobsFunctionsacceptjobs']],
    ['JobsQueueslostjobs', ['JobsFunctionsfaillostjobs']],
    ['JobsQueuesbatches', ['JobsFunctionsprocessbatches']],
    ['JobsQueueswebhooks', ['JobsFunctionsdeliverwebhooks']],
    ['JobsQueuesjobsone', ['JobsFunctionsrunjobsone']],
    ['JobsQueueschunkstwo', ['JobsFunctionsrunjobstwo']],
    ['JobsQueuesdeadletters', []],
    ['JobsQueuesreplyresults', []],
  ])('let messages of %s be received by %j only', (queue, names) => {
    expect(allowed(/^sqs:ReceiveMessage$/, queue)).toEqual(names);
    expect(allowed(/^sqs:DeleteMessage$/, queue)).toEqual(names);
  });

  it.each([
    ['JobsQueuesjobs', []],
    ['JobsQueueslostjobs', []],
    ['JobsQueuesjobsone', ['Apione', 'ApiJobRoutesservejobs', 'JobsFunctionsacceptjobs', 'JobsFunctionsrunjobsone']],
    ['JobsQueueschunksone', ['JobsFunctionsprocessbatches', 'JobsFunctionsrunjobsone']],
  ])('let messages be sent to %s by %j only', (queue, names) => {
    expect(allowed(/^sqs:SendMessage$/, queue)).toEqual(names);
  });

  it('let only functions that can complete a job notify of it', () => {
    const notifiers = [
      'ApiJobRoutesservejobs',
      'JobsFunctionsfaillostjobs',
      'JobsFunctionssweeprecords',
      'JobsFunctionsrunjobsone',
      'JobsFunctionsrunjobstwo',
    ];
    expect(allowed(/^events:PutEvents$/, 'JobsEventsBus')).toEqual(notifiers);
    expect(allowed(/^sqs:SendMessage$/, 'JobsQueuesreplyresults')).toEqual(notifiers);
    expect(allowed(/^sqs:SendMessage$/, 'JobsQueueswebhooks')).toEqual(
      FUNCTIONS.filter((name) =>
        [...notifiers, 'JobsFunctionsprocessbatches', 'JobsFunctionsdeliverwebhooks'].includes(name),
      ),
    );
  });

  it('grant access to the prefixes of the bucket that they use, and to no others', () => {
    const bucket = 'JobsPayloadsBucket';
    expect(allowed(/^s3:(?!ListBucket)/, bucket)).toEqual([]);
    expect(allowed(/^s3:/, `${bucket}/*`)).toEqual([]);
    expect(allowed(/^s3:PutObject$/, `${bucket}/files/*`)).toEqual([
      'ApiJobRoutesservebatches',
      'JobsFunctionsprocessbatches',
    ]);
    for (const prefix of ['jobs', 'results']) {
      expect(allowed(/^s3:DeleteObject$/, `${bucket}/${prefix}/*`)).toEqual([
        'ApiJobRoutesservejobs',
        'JobsFunctionssweeprecords',
      ]);
    }
    expect(permissionsOf(template, 'JobsFunctionsdeliverwebhooks')).not.toHaveProperty('s3:GetObject');
  });

  it('let workers read the buckets that the deployment names', () => {
    const readers = FUNCTIONS.filter((name) =>
      permissionsOf(template, name)['s3:GetObject']?.some((target) => target.includes(':s3:::inputs/*')),
    );
    expect(readers).toEqual(['JobsFunctionsrunjobsone', 'JobsFunctionsrunjobstwo']);
  });

  it('hold no wildcard but prefixes of objects', () => {
    const wild = FUNCTIONS.flatMap((name) => Object.entries(permissionsOf(template, name))).filter(
      ([action, targets]) => action.includes('*') || targets.some((target) => /\*(?<!\/\*)/.test(target)),
    );
    expect(wild).toEqual([]);
  });
});
