import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { EventBridgeClient, ListRulesCommand, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type LocalStack, startLocal } from '../../../../local/start.ts';
import { ActivityRecorder } from '../../activity-recorder.ts';
import { lambdaMethod, removeFolder, temporaryFolder, writeFixtureApp } from '../../fixture-app.ts';
import { ManualClock } from '../../manual-clock.ts';

const sdk = pathToFileURL(createRequire(import.meta.url).resolve('@aws-sdk/client-eventbridge')).href;

/** Puts an event on the given bus, and returns the result. */
const PUTTER = `
import events from '${sdk}';
const client = new events.EventBridgeClient({});
export const handler = async (bus) => {
  const entry = { EventBusName: bus, Source: 'putter', DetailType: 'x', Detail: '{}' };
  try {
    return await client.send(new events.PutEventsCommand({ Entries: [entry] }));
  } catch (error) {
    return error.name + ': ' + error.message;
  }
};`;

const START_MS = Date.parse('2026-11-24T10:00:00.250Z');
const BUS = 'jobs';

let folder: string;
let stack: LocalStack;
let client: EventBridgeClient;
let lambda: LambdaClient;

const arnOf = (id: string) => ({ 'Fn::GetAtt': [id, 'Arn'] });

beforeAll(async () => {
  folder = await temporaryFolder();
  const rule = (pattern: object | undefined, targets: object[], more: object = {}) => ({
    Type: 'AWS::Events::Rule',
    Properties: { EventBusName: { Ref: 'Bus' }, EventPattern: pattern, Targets: targets, ...more },
  });
  const assembly = await writeFixtureApp(folder, {
    functions: {
      Putter: {
        code: PUTTER,
        properties: { MemorySize: 512, Timeout: 30 },
        statements: [{ Effect: 'Allow', Action: 'events:PutEvents', Resource: arnOf('Bus') }],
      },
      Heard: { code: 'export const handler = (event) => { console.log("heard " + JSON.stringify(event)); };' },
      Deaf: { code: 'export const handler = () => { console.log("never"); };' },
    },
    methods: { 'GET /': lambdaMethod('Heard') },
    resources: {
      Bus: { Type: 'AWS::Events::EventBus', Properties: { Name: BUS } },
      Queue: { Type: 'AWS::SQS::Queue', Properties: { QueueName: 'heard' } },
      Log: { Type: 'AWS::Logs::LogGroup', Properties: { LogGroupName: '/aws/events/failed' } },
      ToQueue: rule({ detail: { status: ['failed'] } }, [
        { Id: 'a', Arn: arnOf('Queue') },
        { Id: 'b', Arn: arnOf('Log') },
      ]),
      Selected: rule({ source: ['selected'] }, [{ Id: 'a', Arn: arnOf('Queue'), InputPath: '$.detail.inner' }]),
      Constant: rule({ source: ['constant'] }, [{ Id: 'a', Arn: arnOf('Queue'), Input: '{"fixed":1}' }]),
      Transformed: rule({ source: ['transformed'] }, [
        {
          Id: 'a',
          Arn: arnOf('Queue'),
          InputTransformer: { InputPathsMap: { id: '$.detail.id' }, InputTemplate: '{"message":"job <id>"}' },
        },
      ]),
      ToFunctions: rule({ source: ['functions'] }, [
        { Id: 'a', Arn: arnOf('Heard') },
        { Id: 'b', Arn: arnOf('Deaf') },
      ]),
      Disabled: rule({ source: ['disabled'] }, [{ Id: 'a', Arn: arnOf('Queue') }], { State: 'DISABLED' }),
      Default: rule({ source: ['default'] }, [{ Id: 'a', Arn: arnOf('Queue') }], { EventBusName: undefined }),
      Hourly: rule(undefined, [{ Id: 'a', Arn: arnOf('Queue'), InputPath: '$.detail-type' }], {
        EventBusName: undefined,
        EventPattern: undefined,
        ScheduleExpression: 'rate(1 hour)',
      }),
      Nightly: {
        Type: 'AWS::Events::Rule',
        Properties: {
          ScheduleExpression: 'cron(0 3 * * ? *)',
          Targets: [{ Id: 'a', Arn: 'arn:aws:states:us-east-1:000000000000:stateMachine:x' }],
        },
      },
      MayCall: {
        Type: 'AWS::Lambda::Permission',
        Properties: {
          Action: 'lambda:InvokeFunction',
          FunctionName: arnOf('Heard'),
          Principal: 'events.amazonaws.com',
          SourceArn: arnOf('ToFunctions'),
        },
      },
    },
  });
  const clock = new ManualClock(START_MS);
  stack = await startLocal({ assembly, directory: folder, port: 0, clock, maxEnvironments: 2 });
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  const settings = { endpoint: stack.endpointUrl, region: 'us-east-1', credentials };
  client = new EventBridgeClient(settings);
  lambda = new LambdaClient(settings);
});

afterAll(async () => {
  client.destroy();
  lambda.destroy();
  await stack?.stop();
  await removeFolder(folder);
});

function put(...entries: object[]) {
  const usual = { EventBusName: BUS, Source: 'test', DetailType: 'test', Detail: '{}' };
  return client.send(new PutEventsCommand({ Entries: entries.map((entry) => ({ ...usual, ...entry })) }));
}

/** Waits for events on their way, and takes what is in the queue. */
async function heard(): Promise<unknown[]> {
  await settled();
  const messages = await stack.queues.take('arn:aws:sqs:us-east-1:000000000000:heard', 10);
  for (const { ReceiptHandle: handle } of messages) {
    await stack.queues.remove('arn:aws:sqs:us-east-1:000000000000:heard', handle);
  }
  return messages.map(({ Body: body }) => JSON.parse(body));
}

async function settled(): Promise<void> {
  while (stack.isBusy()) await pause(10);
}

function logOf(name: string): Promise<string> {
  return readFile(join(folder, 'logs', `${name}.log`), 'utf8');
}

describe('an event', () => {
  it('comes to the queue and the log of the rule that it fits, in the envelope of EventBridge', async () => {
    const detail = { status: 'failed', id: 'job_1' };
    const { Entries: entries, FailedEntryCount: failed } = await put(
      { Detail: JSON.stringify(detail), Resources: ['arn:x'] },
      { Detail: JSON.stringify({ status: 'succeeded' }) },
    );
    expect(failed).toBe(0);
    const event = {
      version: '0',
      id: entries?.[0]?.EventId,
      'detail-type': 'test',
      source: 'test',
      account: '000000000000',
      time: '2026-11-24T10:00:00Z',
      region: 'us-east-1',
      resources: ['arn:x'],
      detail,
    };
    expect(await heard()).toEqual([event]);
    expect(JSON.parse(await logOf('aws-events-failed'))).toEqual(event);
  });

  it('has the time that its sender gives it, and is reported for each target that takes it', async () => {
    using recorder = new ActivityRecorder(stack.activity);
    await put({ Detail: '{"status":"failed"}', Time: new Date('2020-01-02T03:04:05Z') });
    const queueArn = 'arn:aws:sqs:us-east-1:000000000000:heard';
    const delivered = await recorder.first('event.delivered', ({ targetArn }) => targetArn === queueArn);
    expect(delivered).toMatchObject({ detailType: 'test' });
    expect(await heard()).toMatchObject([{ time: '2020-01-02T03:04:05Z' }]);
  });

  it('comes in part, or as something else, where the target wants it so', async () => {
    await put({ Source: 'selected', Detail: '{"inner":{"a":1}}' });
    expect(await heard()).toEqual([{ a: 1 }]);
    await put({ Source: 'constant' });
    expect(await heard()).toEqual([{ fixed: 1 }]);
    await put({ Source: 'transformed', Detail: '{"id":"job_1","result":"hidden"}' });
    expect(await heard()).toEqual([{ message: 'job job_1' }]);
  });

  it('reaches functions that the rule may invoke, and is noted as lost for those it may not', async () => {
    const { Entries: entries } = await put({ Source: 'functions', Detail: '{"a":1}' });
    await settled();
    expect(await logOf('heard')).toContain(`"id":"${entries?.[0]?.EventId}"`);
    const lost = (await logOf('event-bridge'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lost).toEqual([
      {
        lost: entries?.[0]?.EventId,
        target: 'arn:aws:lambda:us-east-1:000000000000:function:deaf',
        reason: 'events.amazonaws.com has no permission to invoke the function',
      },
    ]);
  });

  it('stays on its bus, and passes disabled rules by', async () => {
    await put({ Source: 'disabled' }, { Source: 'default' });
    expect(await heard()).toEqual([]);
    await put({ Source: 'default', EventBusName: undefined });
    await put({ Source: 'default', EventBusName: 'arn:aws:events:us-east-1:000000000000:event-bus/default' });
    expect(await heard()).toHaveLength(2);
  });
});

describe('putting events', () => {
  it('reports for each entry why it is not accepted', async () => {
    const { Entries: entries, FailedEntryCount: failed } = await put(
      { Source: undefined },
      { DetailType: '' },
      { Detail: undefined },
      { Detail: 'text' },
      { Detail: '[1]' },
      { Source: 'aws.ec2' },
      { EventBusName: 'absent' },
      {},
    );
    expect(failed).toBe(7);
    expect(entries?.map(({ ErrorCode: code }) => code)).toEqual([
      'InvalidArgument',
      'InvalidArgument',
      'InvalidArgument',
      'MalformedDetail',
      'MalformedDetail',
      'NotAuthorizedForSourceException',
      'ResourceNotFoundException',
      undefined,
    ]);
  });

  it('fails with ValidationException when entries are none, too many or too large', async () => {
    await expect(put()).rejects.toMatchObject({ name: 'ValidationException' });
    await expect(put(...Array.from({ length: 11 }, () => ({})))).rejects.toMatchObject({ name: 'ValidationException' });
    const large = { Detail: JSON.stringify('x'.repeat(262_144)) };
    await expect(put(large)).rejects.toMatchObject({ name: 'ValidationException' });
  });

  it('fails with AccessDeniedException when the role of the function has no grant for the bus', async () => {
    const call = async (bus: string) => {
      const { Payload: payload } = await lambda.send(
        new InvokeCommand({ FunctionName: 'putter', Payload: JSON.stringify(bus) }),
      );
      return JSON.parse(Buffer.from(payload ?? []).toString());
    };
    expect(await call(BUS)).toMatchObject({ FailedEntryCount: 0 });
    expect(await call('default')).toContain(
      'AccessDeniedException: User: arn:aws:sts::000000000000:assumed-role/Fixture-PutterRole/putter is not authorized to perform: events:PutEvents on resource: arn:aws:events:us-east-1:000000000000:event-bus/default',
    );
  });

  it('is all of EventBridge that local mode has', async () => {
    await expect(client.send(new ListRulesCommand({}))).rejects.toMatchObject({ name: 'UnknownOperationException' });
    expect(stack.description.endpoints).toMatchObject({ events: stack.endpointUrl });
  });
});

describe('a rule with a rate', () => {
  it('sends an event after each interval of the local time, and one for all that time moved past', async () => {
    await stack.advance(3_599_000);
    expect(await heard()).toEqual([]);
    await stack.advance(1000);
    expect(await heard()).toEqual(['Scheduled Event']);
    await stack.advance(10 * 3_600_000);
    expect(await heard()).toEqual(['Scheduled Event']);
  });
});

describe('the plan', () => {
  it('reports what of the rules does not run', () => {
    expect(stack.plan.notRun).toEqual([
      { resource: 'Nightly', type: 'AWS::Events::Rule', reason: 'only a rate is followed as a schedule here' },
      {
        resource: 'Nightly',
        type: 'AWS::Events::Rule',
        reason: 'its target arn:aws:states:us-east-1:000000000000:stateMachine:x gets no events here',
      },
    ]);
  });
});
