import { DeleteMessageCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';

/** The end of a job: a CloudEvent whose data is the job as the API shows it. */
interface JobEnded {
  readonly id: string;
  readonly type: string;
  /** The way in which the job came: of a producer like send-job.ts, or over the HTTP API. */
  readonly via?: 'producer' | 'http';
  readonly data: {
    readonly id: string;
    readonly status: 'succeeded' | 'failed' | 'canceled';
    /** The response of the route. */
    readonly result?: unknown;
    /** Where a result is that is too large for a message; good for an hour. */
    readonly result_url?: string;
    /** A problem document (RFC 9457). */
    readonly error?: { readonly code: string; readonly detail: string };
  };
}

// QUEUE_URL: the output QueueUrlReply<Name> of the stack TensorgateJobs-<stage>.
const { QUEUE_URL: queueUrl } = process.env;
if (queueUrl === undefined) throw new Error('QUEUE_URL is not set');

/** How many results to wait for; without a number, it continues until it is stopped. */
const requested = Number(process.argv[2] ?? Number.POSITIVE_INFINITY);

const client = new SQSClient({});
// Queues deliver at least once. A real consumer remembers ids where it keeps the results.
const seen = new Set<string>();

while (seen.size < requested) {
  const { Messages: messages = [] } = await client.send(
    new ReceiveMessageCommand({ QueueUrl: queueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 20 }),
  );
  for (const { Body: body = '', ReceiptHandle: handle } of messages) {
    const event = JSON.parse(body) as JobEnded;
    // A plan can let callers of the HTTP API use this queue as well, and they choose the ids of their jobs.
    if (event.via === 'producer') {
      if (!seen.has(event.id)) console.log(JSON.stringify(await outcomeOf(event)));
      seen.add(event.id);
    }
    // Only now: if anything had failed before, the message would be delivered again.
    await client.send(new DeleteMessageCommand({ QueueUrl: queueUrl, ReceiptHandle: handle }));
  }
}
client.destroy();

async function outcomeOf({ data: job }: JobEnded) {
  if (job.status !== 'succeeded') return { job: job.id, status: job.status, error: job.error };
  return { job: job.id, status: job.status, result: job.result ?? (await download(job.result_url)) };
}

async function download(url: string | undefined): Promise<unknown> {
  if (url === undefined) return undefined;
  const response = await fetch(url);
  if (!response.ok) throw new Error(`the result answers ${response.status}`);
  return response.json();
}
