// Stands in for the AWS CLI in tests of examples: `aws sqs send-message --queue-url URL --message-body TEXT`.
import { parseArgs } from 'node:util';
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';

const { values, positionals } = parseArgs({
  options: { 'queue-url': { type: 'string' }, 'message-body': { type: 'string' } },
  allowPositionals: true,
});
if (positionals.join(' ') !== 'sqs send-message') throw new Error(`unknown command ${positionals.join(' ')}`);

const client = new SQSClient({});
await client.send(new SendMessageCommand({ QueueUrl: values['queue-url'], MessageBody: values['message-body'] }));
client.destroy();
