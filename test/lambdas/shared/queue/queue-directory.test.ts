import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { openDeployedNames } from '../../../../lambdas/shared/aws/deployed-names.ts';
import { openModelQueue } from '../../../../lambdas/shared/queue/model-queues.ts';
import { openQueueDirectory } from '../../../../lambdas/shared/queue/queue-directory.ts';
import { movableClock, type QueuesAndBuckets, startQueuesAndBuckets } from '../jobs/job-servers.ts';
import { reply, startServer, type TestServer } from '../results/dynamodb-server.ts';

const QUEUES = { jobs: 'https://queues/jobs', chunks: 'https://queues/chunks' };

let server: TestServer;
let values: Map<string, string>;
let failures: string[];

beforeAll(async () => {
  server = await startServer((_operation, input, response) => {
    const failure = failures.shift();
    const value = values.get(String(input['Name']));
    if (failure !== undefined) reply(response, 400, { __type: failure });
    else if (value === undefined) reply(response, 400, { __type: 'ParameterNotFound' });
    else reply(response, 200, { Parameter: { Value: value } });
  });
});

beforeEach(() => {
  values = new Map([
    ['/queues/models/words', JSON.stringify(QUEUES)],
    ['/queues/replies/answers', 'https://queues/answers'],
  ]);
  failures = [];
  server.operations.length = 0;
});

afterAll(() => server.close());

function open(clock = movableClock()) {
  return openQueueDirectory(openDeployedNames({ clock, settings: () => server.settings }), '/queues');
}

describe('the directory of queues', () => {
  test('finds the queues of a model and reply queues by their parameters', async () => {
    const directory = open();
    expect(await directory.ofModel('words')).toEqual(QUEUES);
    expect(await directory.ofReplies('answers')).toBe('https://queues/answers');
    expect(server.operations).toEqual(['GetParameter', 'GetParameter']);
  });

  test('reads each parameter once, and again after five minutes', async () => {
    const clock = movableClock();
    const directory = open(clock);
    await directory.ofModel('words');
    await directory.ofModel('words');
    expect(server.operations).toHaveLength(1);
    clock.nowMs += 301_000;
    values.set('/queues/models/words', JSON.stringify({ ...QUEUES, jobs: 'https://queues/replaced' }));
    expect(await directory.ofModel('words')).toHaveProperty('jobs', 'https://queues/replaced');
  });

  test('finds nothing for a model that the deployment does not have, until it has it', async () => {
    const directory = open();
    expect(await directory.ofModel('constructor')).toBeUndefined();
    values.set('/queues/models/constructor', JSON.stringify(QUEUES));
    expect(await directory.ofModel('constructor')).toEqual(QUEUES);
  });

  test('retries a call that is throttled', async () => {
    failures = ['ThrottlingException', 'InternalServerError'];
    expect(await open().ofModel('words')).toEqual(QUEUES);
  });

  test('keeps what it has read while AWS Systems Manager does not respond', async () => {
    const clock = movableClock();
    const directory = open(clock);
    await directory.ofModel('words');
    clock.nowMs += 301_000;
    failures = Array.from({ length: 3 }, () => 'ThrottlingException');
    expect(await directory.ofModel('words')).toEqual(QUEUES);
    expect(await directory.ofModel('words')).toEqual(QUEUES);
    expect(server.operations).toHaveLength(4);
    clock.nowMs += 31_000;
    values.delete('/queues/models/words');
    expect(await directory.ofModel('words')).toBeUndefined();
  });

  test('fails with UNAVAILABLE when AWS Systems Manager does not respond', async () => {
    failures = Array.from({ length: 3 }, () => 'ThrottlingException');
    await expect(open().ofModel('words')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });
});

describe('the queue of a model', () => {
  let servers: QueuesAndBuckets;
  beforeAll(async () => {
    servers = await startQueuesAndBuckets();
  });
  afterAll(() => servers.close());

  test('gets messages at the URL that the directory names', async () => {
    const jobs = await servers.createQueue('jobs-words');
    const chunks = await servers.createQueue('chunks-words');
    values.set('/queues/models/words', JSON.stringify({ jobs, chunks }));
    const queue = openModelQueue('words', 'chunks', { client: servers.sqs, directory: open() });
    await queue.send({ owner: 'one' });
    await queue.sendAll([{ owner: 'two' }, { owner: 'three' }]);
    expect(await servers.receive(chunks)).toHaveLength(3);
    expect(await servers.receive(jobs)).toHaveLength(0);
  });

  test('fails with UNAVAILABLE when the queues are not deployed yet', async () => {
    const queue = openModelQueue('none', 'jobs', { client: servers.sqs, directory: open() });
    await expect(queue.send({ owner: 'one' })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });
});
