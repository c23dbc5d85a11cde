import { randomUUID } from 'node:crypto';
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';

// QUEUE_URL: the output QueueUrlJobs of the stack TensorgateJobs-<stage>. TENANT and REPLY_QUEUE are optional.
const { QUEUE_URL: queueUrl, TENANT: tenant, REPLY_QUEUE: replyQueue } = process.env;
if (queueUrl === undefined) throw new Error('QUEUE_URL is not set');

const [text = 'a text to embed', id = randomUUID()] = process.argv.slice(2);

// One message is one CloudEvent. Source and id together name it: sent twice, it is one job.
const event = {
  specversion: '1.0',
  type: 'tensorgate.job.v1',
  source: '/examples/send-job',
  id,
  time: new Date().toISOString(),
  ...(tenant === undefined ? {} : { tenant }),
  data: {
    endpoint: '/v1/embeddings',
    body: { input: [text] },
    ...(replyQueue === undefined ? {} : { reply_queue: replyQueue }),
  },
};

const client = new SQSClient({});
await client.send(new SendMessageCommand({ QueueUrl: queueUrl, MessageBody: JSON.stringify(event) }));
client.destroy();
console.log(`sent event ${id}`);
