import {
  InvokeEndpointCommand,
  type InvokeEndpointCommandOutput,
  SageMakerRuntimeClient,
} from '@aws-sdk/client-sagemaker-runtime';
import type { Clock } from '../../../core/clock.ts';
import { AppError } from '../../../core/errors.ts';
import type { ContainerMessage } from '../../../core/protocols/container-message.ts';
import { endpointName, MAX_INVOCATION_BYTES } from '../../../core/sagemaker/endpoint-contract.ts';
import { CircuitBreaker } from '../resilience/circuit-breaker.ts';
import { TimeoutError, withinBudget } from '../resilience/time-budget.ts';

/** Failures in a row after which an endpoint is left alone, and for how long. */
const BREAKER = { failures: 5, openMs: 5000 };

/** Longest pause before the second attempt, in milliseconds: as long as a throttled call needs, not more. */
const MAX_PAUSE_MS = 60;

/** Least time that a second attempt must have, in milliseconds. */
const MIN_ATTEMPT_MS = 50;

/** A connection within one region is there in a few milliseconds, or something is wrong. */
const CONNECT_MS = 1000;

/** Requests at once from one environment; a worker sends several micro-batches. */
const MAX_SOCKETS = 50;

/** The real-time endpoints of a model: one for each version. */
export interface SageMakerEndpoints {
  /**
   * Sends one request to the endpoint of a version.
   *
   * @param withinMs - Time for the answer, in milliseconds.
   * @throws AppError `BODY_TOO_LARGE` beyond what SageMaker takes, `INVALID_TENSOR` when the container refuses the
   * tensors, `TIMEOUT` after that time, `UNAVAILABLE` while the endpoint cannot answer, at once while it is known to
   * fail, `BAD_GATEWAY` when the container fails.
   */
  invoke(version: string, message: ContainerMessage, withinMs: number): Promise<ContainerMessage>;
}

/** What {@link openSageMakerEndpoints} needs. */
export interface SageMakerEndpointsOptions {
  /** What the names of the endpoints begin with. */
  readonly name: string;
  readonly clock: Clock;
  /** Defaults to a client of its own. */
  readonly client?: SageMakerRuntimeClient;
  /** Number from 0 to 1 that spreads second attempts. Defaults to chance. */
  readonly random?: () => number;
}

/**
 * Opens a model's endpoints: connections are kept, and each has a circuit breaker of its own.
 *
 * A prediction changes nothing, so a request that the endpoint did not take (throttled, unavailable, connection lost) is
 * sent a second time where time is left. One that ran into its time is not: the model may be at it still.
 */
export function openSageMakerEndpoints(options: SageMakerEndpointsOptions): SageMakerEndpoints {
  const { name, clock, client = openClient(), random = Math.random } = options;
  const breakers = new Map<string, CircuitBreaker>();
  const breakerOf = (version: string): CircuitBreaker => {
    const breaker = breakers.get(version) ?? new CircuitBreaker({ ...BREAKER, clock });
    breakers.set(version, breaker);
    return breaker;
  };
  const attempt = async (version: string, message: ContainerMessage, withinMs: number): Promise<ContainerMessage> => {
    const breaker = breakerOf(version);
    if (!breaker.allows()) {
      throw new AppError(
        'UNAVAILABLE',
        `the endpoint failed again and again: it is tried again every ${BREAKER.openMs / 1000} seconds`,
      );
    }
    try {
      const answer = await send(client, { endpoint: endpointName(name, version), message, withinMs });
      breaker.succeeded();
      return answer;
    } catch (cause) {
      const error = describe(cause);
      if (error.code === 'INVALID_TENSOR') breaker.succeeded();
      else breaker.failed();
      throw error;
    }
  };
  return {
    invoke: async (version, message, withinMs) => {
      checkSize(message);
      const endsAtMs = clock.now() + withinMs;
      try {
        return await attempt(version, message, withinMs);
      } catch (error) {
        const pauseMs = MAX_PAUSE_MS * random();
        const leftMs = endsAtMs - clock.now() - pauseMs;
        if (!isRefusal(error) || leftMs < MIN_ATTEMPT_MS) throw error;
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
        return attempt(version, message, leftMs);
      }
    },
  };
}

function openClient(): SageMakerRuntimeClient {
  return new SageMakerRuntimeClient({
    maxAttempts: 1,
    requestHandler: { connectionTimeout: CONNECT_MS, httpsAgent: { keepAlive: true, maxSockets: MAX_SOCKETS } },
  });
}

function checkSize({ body }: ContainerMessage): void {
  if (body.byteLength <= MAX_INVOCATION_BYTES) return;
  throw new AppError(
    'BODY_TOO_LARGE',
    `the tensors have ${body.byteLength} bytes, the model's endpoint takes ${MAX_INVOCATION_BYTES} at most`,
  );
}

/** Whether the endpoint did not take the request, so that it can be sent again. */
function isRefusal(error: unknown): boolean {
  return error instanceof AppError && error.code === 'UNAVAILABLE';
}

interface Invocation {
  readonly endpoint: string;
  readonly message: ContainerMessage;
  readonly withinMs: number;
}

async function send(
  client: SageMakerRuntimeClient,
  { endpoint, message: { contentType, body }, withinMs }: Invocation,
): Promise<ContainerMessage> {
  const command = new InvokeEndpointCommand({
    EndpointName: endpoint,
    ContentType: contentType,
    Body: body,
  });
  const answer: InvokeEndpointCommandOutput = Number.isFinite(withinMs)
    ? await withinBudget(withinMs, (abortSignal) => client.send(command, { abortSignal }))
    : await client.send(command);
  return { contentType: answer.ContentType ?? '', body: answer.Body ?? new Uint8Array() };
}

/** Errors of the service in this product's words. What the container said may hold a caller's data: it is not told. */
function describe(cause: unknown): AppError {
  if (cause instanceof TimeoutError)
    return new AppError('TIMEOUT', `the model's endpoint gave ${cause.message}`, { cause });
  const { name, OriginalStatusCode: status } = cause as {
    readonly name?: unknown;
    readonly OriginalStatusCode?: unknown;
  };
  if (name === 'ModelError') return describeModelError(typeof status === 'number' ? status : 500, cause);
  if (name === 'AccessDeniedException') {
    return new AppError('INTERNAL', 'the function may not invoke the endpoint of its model', { cause });
  }
  if (name === 'ValidationError' || name === 'ValidationException') {
    return new AppError(
      'UNAVAILABLE',
      "the model's endpoint is not in service: it is being created, updated or deleted",
      { cause },
    );
  }
  return new AppError('UNAVAILABLE', `the model's endpoint cannot answer right now (${String(name)})`, { cause });
}

function describeModelError(status: number, cause: unknown): AppError {
  if (status === 429 || status === 503) {
    return new AppError('UNAVAILABLE', 'the model has as many requests waiting as it takes', { cause });
  }
  if (status === 408 || status === 504) return new AppError('TIMEOUT', 'the model took too long', { cause });
  // Text Embeddings Inference says 424 when its backend fails.
  if (status >= 400 && status < 500 && status !== 424) {
    return new AppError('INVALID_TENSOR', `the model refused the tensors (${status})`, { cause });
  }
  return new AppError('BAD_GATEWAY', `the model failed to run (${status})`, { cause });
}
