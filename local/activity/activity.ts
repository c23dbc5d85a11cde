/** API Gateway has sent a response. */
export interface RequestCompleted {
  readonly type: 'request.completed';
  readonly requestId: string;
  readonly method: string;
  /** Path of the resource, such as `/v1/jobs/{proxy+}`: the path itself can hold anything. Undefined if no route has it. */
  readonly route: string | undefined;
  readonly status: number;
  readonly durationMs: number;
  /** Name of the API key that the request presented, also if it was throttled. */
  readonly keyName: string | undefined;
  /** Model and version that served the request: the response's `x-model-id` and `x-model-version`. */
  readonly model: string | undefined;
  readonly version: string | undefined;
  /** Error code in the body of the response. */
  readonly code: string | undefined;
  readonly isColdStart: boolean;
  /** Value of the response's `x-cache` header. */
  readonly cache: string | undefined;
  /** Error of the function; API Gateway does not show it to the client. */
  readonly functionError: string | undefined;
}

/** Lambda has handed an invocation to an execution environment. */
export interface InvocationStarted {
  readonly type: 'invocation.started';
  readonly functionName: string;
  readonly requestId: string;
  readonly isColdStart: boolean;
}

/** An invocation is over. */
export interface InvocationCompleted {
  readonly type: 'invocation.completed';
  readonly functionName: string;
  readonly requestId: string;
  readonly durationMs: number;
  /** `failed`: the handler threw. `timeout` and `crashed`: its environment is lost as well. */
  readonly outcome: 'succeeded' | 'failed' | 'timeout' | 'crashed';
}

/** Lambda has refused an invocation because too many run already. */
export interface InvocationThrottled {
  readonly type: 'invocation.throttled';
  readonly functionName: string;
  readonly reason: string;
}

/** A step in the life of an execution environment. */
export interface EnvironmentChanged {
  readonly type: 'environment.started' | 'environment.frozen' | 'environment.resumed' | 'environment.ended';
  readonly functionName: string;
  readonly pid: number;
}

/** The init phase of an execution environment is over. */
export interface EnvironmentInitialized {
  readonly type: 'environment.initialized';
  readonly functionName: string;
  readonly pid: number;
  readonly initMs: number;
}

/** A function has written a line of JSON to its log. */
export interface RecordLogged {
  readonly type: 'record.logged';
  readonly functionName: string;
  /** The parsed line. The functions of this product log neither input nor results; those of other apps may. */
  readonly record: Readonly<Record<string, unknown>>;
}

/** A message was put into a queue, given to a consumer, or deleted. */
export interface MessageMoved {
  readonly type: 'message.sent' | 'message.received' | 'message.deleted';
  readonly queue: string;
  readonly messageId: string;
}

/** SQS has moved a message to a dead-letter queue. */
export interface MessageDeadLettered {
  readonly type: 'message.dead-lettered';
  readonly queue: string;
  readonly deadLetterQueue: string;
  readonly messageId: string;
}

/** IAM policies do not allow a call. */
export interface CallDenied {
  readonly type: 'call.denied';
  /** ARN of the caller. */
  readonly principal: string;
  readonly action: string;
  readonly resource: string;
}

/** EventBridge has delivered an event to a target, or has failed to. */
export interface EventDelivered {
  readonly type: 'event.delivered' | 'event.lost';
  readonly bus: string;
  readonly eventId: string;
  readonly detailType: string;
  readonly targetArn: string;
  /** Why the event was lost. */
  readonly reason?: string | undefined;
}

/** A container of a SageMaker endpoint has started, answers requests, or has ended. */
export interface ContainerChanged {
  readonly type: 'container.started' | 'container.ready' | 'container.ended';
  /** Name of the endpoint and of the variant. */
  readonly container: string;
}

/** A listener was too slow, and the oldest events that waited for it were dropped. */
export interface ActivityDropped {
  readonly type: 'activity.dropped';
  readonly count: number;
}

/** Something that has happened in local mode. Events hold names, ids and figures, and never the input of a request. */
export type Activity =
  | RequestCompleted
  | InvocationStarted
  | InvocationCompleted
  | InvocationThrottled
  | EnvironmentChanged
  | EnvironmentInitialized
  | RecordLogged
  | MessageMoved
  | MessageDeadLettered
  | CallDenied
  | EventDelivered
  | ContainerChanged
  | ActivityDropped;

/** An event with the local time at which it happened, in milliseconds since the Unix epoch. */
export type TimedActivity = Activity & { readonly atMs: number };

/** Where services report what happens. */
export interface ActivitySink {
  /** Whether anyone receives the events; without a listener, those that cost time to find out can be left out. */
  readonly isFollowed: boolean;
  /** Reports an event. It returns immediately and never throws. */
  publish(activity: Activity): void;
}

/** A sink for services whose activity no one follows. */
export const NO_ACTIVITY: ActivitySink = { isFollowed: false, publish: () => undefined };
