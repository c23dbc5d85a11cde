import { Duration, Names, Stack, Validations } from 'aws-cdk-lib';
import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam';
import { type IQueue, Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { StringParameter } from 'aws-cdk-lib/aws-ssm';
import { Construct, type IConstruct } from 'constructs';
import { modelQueuesParameter, replyQueueParameter } from '../../core/functions/deployed-names.ts';
import { FUNCTIONS, type FunctionDefinition } from '../../core/functions/functions.ts';
import type { ModelQueueName, SharedQueueName } from '../../core/functions/permissions.ts';
import type { ModelQueues } from '../../core/functions/settings.ts';
import { MESSAGE_DAYS } from '../../core/retention/retention.ts';
import type { Model } from '../packaging/model.ts';
import { explainWildcard } from '../security/wildcard-reason.ts';

/** How often a step of a batch is started, and how often an event of a producer is read that fails for a transient reason. */
export const SHARED_MAX_RECEIVES = 5;

/**
 * Number of times that SQS delivers a message of a model's queue, or of a shared one, before it moves the message away.
 *
 * Consumers count the tries of their work themselves, and fail it. These numbers are the last net, for messages whose
 * workers end before they can count. A message that waits for a dependency may be received 400 times a day.
 *
 * AWS documents that the count of a message continues in the dead-letter queue ("across all queues", API reference of
 * ReceiveMessage). It does not say which count the redrive policy of that queue compares. The number of the shared queues
 * is larger by as much as their consumers need, so that either reading gives `fail-lost-jobs` its turn.
 */
const MODEL_QUEUE_RECEIVES = 400;
const SHARED_QUEUE_RECEIVES = 1000;

/**
 * A message stays invisible for this many timeouts of its function. Lambda's own retries, and its wait for a free
 * environment, then end before another invocation receives the message.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
 */
const VISIBILITY_TIMEOUTS = 6;

/** Maximum retention of Amazon SQS, so that no waiting message is lost earlier than necessary. */
const LONGEST_RETENTION = Duration.days(MESSAGE_DAYS);

/** Settings of {@link JobQueues}. */
export interface JobQueuesProps {
  /** Models that get queues. */
  readonly models: readonly Model[];
  /** Names of reply queues. */
  readonly replyQueues: readonly string[];
  /** How many days dead letters are kept. */
  readonly deadLetterRetentionDays: number;
}

/** Queues of one model. */
export type QueuesOfModel = Readonly<Record<ModelQueueName, IQueue>>;

/** Every queue around jobs. */
export class JobQueues extends Construct {
  /** Queues that belong to no model. */
  readonly shared: Readonly<Record<SharedQueueName, IQueue>>;
  /** Queues of jobs and of chunks of batches, by model id. */
  readonly models: ReadonlyMap<string, QueuesOfModel>;
  /** Queues that jobs may name for their results. */
  readonly replies: ReadonlyMap<string, IQueue>;
  /** Path of the parameters with the URLs of the queues of models and of reply queues. */
  readonly path: string;
  readonly #replyUrls: readonly StringParameter[];

  /** @internal */
  constructor(scope: Construct, id: string, props: JobQueuesProps) {
    super(scope, id);
    const deadLetters = this.#create('dead-letters', {
      retentionPeriod: Duration.days(props.deadLetterRetentionDays),
    });
    withoutRedrive(deadLetters, 'This is the dead-letter queue itself; operators redrive its messages.');
    const consumed = (name: SharedQueueName) =>
      this.#create(name, {
        visibilityTimeout: visibilityTimeout(consumerTimeoutSeconds(name)),
        deadLetterQueue: { queue: deadLetters, maxReceiveCount: SHARED_QUEUE_RECEIVES },
      });
    const lostJobs = consumed('lost-jobs');
    this.shared = {
      'dead-letters': deadLetters,
      'lost-jobs': lostJobs,
      jobs: consumed('jobs'),
      batches: consumed('batches'),
      webhooks: consumed('webhooks'),
    };
    this.models = new Map(props.models.map((model) => [model.id, this.#createForModel(model, lostJobs)]));
    this.replies = new Map(props.replyQueues.map((name) => [name, this.#createReplyQueue(name)]));
    this.path = `/tensorgate/${Names.uniqueResourceName(this, { maxLength: 128, separator: '-' })}`;
    this.#replyUrls = [...this.replies].map(([name, { queueUrl }]) =>
      publish(this, `ReplyUrl-${name}`, replyQueueParameter(this.path, name), queueUrl),
    );
  }

  /**
   * Makes CloudFormation deploy a function after the URLs of reply queues. A reply queue without a URL counts as removed, so
   * replies to it would be dropped.
   */
  deployBefore({ node }: IConstruct): void {
    node.addDependency(...this.#replyUrls);
  }

  /** Grants `grantee` permission to look up the URLs of the queues of models and of reply queues. */
  grantFind(grantee: IGrantable): Grant {
    const arn = Stack.of(this).formatArn({ service: 'ssm', resource: 'parameter', resourceName: this.path.slice(1) });
    explainWildcard(grantee, { arn, suffix: '/*', reason: 'Every parameter below the path is the URL of a queue.' });
    return Grant.addToPrincipal({ grantee, actions: ['ssm:GetParameter'], resourceArns: [`${arn}/*`] });
  }

  /**
   * Publishes the URLs of a model's queues for functions that belong to no model. Standard parameters cost nothing.
   *
   * @param scope - The stack of the model's worker.
   */
  publishUrls(scope: Construct, { id }: Model): void {
    const queues = this.models.get(id);
    if (queues === undefined) throw new TypeError(`the model ${id} has no queues`);
    const urls: ModelQueues = { jobs: queues.jobs.queueUrl, chunks: queues.chunks.queueUrl };
    publish(scope, 'QueueUrls', modelQueuesParameter(this.path, id), JSON.stringify(urls));
  }

  #createForModel({ id, manifest: { jobs } }: Model, lostJobs: IQueue): QueuesOfModel {
    const settings = {
      visibilityTimeout: visibilityTimeout(jobs.timeoutSeconds, jobs.windowSeconds),
      deadLetterQueue: { queue: lostJobs, maxReceiveCount: MODEL_QUEUE_RECEIVES },
    };
    return { jobs: this.#create(`jobs-${id}`, settings), chunks: this.#create(`chunks-${id}`, settings) };
  }

  #createReplyQueue(name: string): IQueue {
    const queue = this.#create(`reply-${name}`, {});
    withoutRedrive(queue, 'The consumer of the replies decides how to handle messages that it cannot process.');
    return queue;
  }

  #create(id: string, settings: object): Queue {
    return new Queue(this, id, {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: LONGEST_RETENTION,
      ...settings,
    });
  }
}

/** How long the function runs that consumes a queue. */
function consumerTimeoutSeconds(queue: SharedQueueName): number {
  const functions: readonly FunctionDefinition[] = Object.values(FUNCTIONS);
  const timeoutSeconds = functions.find(({ consumes }) => consumes?.queue === queue)?.timeoutSeconds;
  if (typeof timeoutSeconds !== 'number') throw new TypeError(`no function with a timeout consumes the queue ${queue}`);
  return timeoutSeconds;
}

function visibilityTimeout(functionSeconds: number, windowSeconds = 0): Duration {
  return Duration.seconds(VISIBILITY_TIMEOUTS * functionSeconds + windowSeconds);
}

function withoutRedrive(queue: Queue, reason: string): void {
  Validations.of(queue).acknowledge({ id: 'AwsSolutions-SQS3', reason });
}

function publish(scope: Construct, id: string, parameterName: string, stringValue: string): StringParameter {
  return new StringParameter(scope, id, { parameterName, stringValue, simpleName: false });
}
