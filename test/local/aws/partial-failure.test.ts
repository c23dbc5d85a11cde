import { expect, test } from '@jest/globals';
import { halveRequest, withOtherHalf } from '../../../local/aws/partial-failure.ts';

function request(operation: string, input: object) {
  const headers = { 'x-amz-target': `Service.${operation}` };
  return { method: 'POST', path: '/', query: new URLSearchParams(), headers, body: Buffer.from(JSON.stringify(input)) };
}

/** The half that a service is to do, and the response after it did so. */
function halve(operation: string, input: object, done: object): { half: unknown; response: unknown } | undefined {
  const halved = halveRequest(request(operation, input));
  if (halved === undefined) return undefined;
  const half = halved.body === undefined ? undefined : (JSON.parse(halved.body.toString()) as unknown);
  const own = half === undefined ? undefined : { status: 200, headers: {}, body: JSON.stringify(done) };
  return { half, response: JSON.parse(withOtherHalf(halved, own).body.toString()) as unknown };
}

test('a batch of messages is sent by half, and the others are reported as failed by the service', () => {
  const entries = ['a', 'b', 'c'].map((id) => ({ Id: id, MessageBody: id }));
  const sent = halve(
    'SendMessageBatch',
    { QueueUrl: 'q', Entries: entries },
    { Successful: [{ Id: 'a' }], Failed: [] },
  );
  const error = { SenderFault: false, Code: 'InternalError', Message: 'an injected fault' };
  expect(sent).toEqual({
    half: { QueueUrl: 'q', Entries: [entries[0]] },
    response: { Successful: [{ Id: 'a' }], Failed: ['b', 'c'].map((id) => ({ Id: id, ...error })) },
  });
});

test('a read of many items leaves half of the keys unprocessed', () => {
  const keys = ['a', 'b'].map((id) => ({ pk: { S: id } }));
  const done = { Responses: { jobs: [keys[0]] }, UnprocessedKeys: {} };
  expect(halve('BatchGetItem', { RequestItems: { jobs: { Keys: keys, ConsistentRead: true } } }, done)).toEqual({
    half: { RequestItems: { jobs: { Keys: [keys[0]], ConsistentRead: true } } },
    response: {
      Responses: { jobs: [keys[0]] },
      UnprocessedKeys: { jobs: { Keys: [keys[1]], ConsistentRead: true } },
    },
  });
});

test('a write of one item is left unprocessed, and the service does nothing', () => {
  const write = { PutRequest: { Item: { pk: { S: 'a' } } } };
  expect(halve('BatchWriteItem', { RequestItems: { results: [write] } }, {})).toEqual({
    half: undefined,
    response: { UnprocessedItems: { results: [write] } },
  });
});

test('events that are not accepted stand behind those that are, as in the request', () => {
  const done = { Entries: [{ EventId: '1' }], FailedEntryCount: 0 };
  expect(halve('PutEvents', { Entries: [{ Detail: '1' }, { Detail: '2' }] }, done)?.response).toEqual({
    Entries: [{ EventId: '1' }, { ErrorCode: 'InternalFailure', ErrorMessage: 'an injected fault' }],
    FailedEntryCount: 1,
  });
});

test.each(['SendMessage', 'PutItem', 'TransactWriteItems', 'toString'])('%s has no halves', (operation) => {
  expect(halveRequest(request(operation, {}))).toBeUndefined();
});
