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

/** Failures in a row that open the circuit breaker of an endpoint, and how long it stays open. */
const BREAKER = { failures: 5, openMs: 5000 };

/** A timeout counts as a failure of the endpoint only if the endpoint had at least this long, in milliseconds. */
const FAIR_CHANCE_MS = 5000;

/** Longest pause before the second attempt, in milliseconds: as long as a throttled call needs. */
const MAX_PAUSE_MS = 60;

/** Shortest time in which a second attempt can succeed, in milliseconds. */
const MIN_ATTEMPT_MS = 50;

/** Time limit for a connection, in milliseconds. Within one region a few are enough. */
const CONNECT_MS = 1000;

/** Maximum number of concurrent requests from one environment; a worker sends several micro-batches. */
const MAX_SOCKETS = 50;

/** The real-time endpoints of a model: one for each version. */
export interface SageMakerEndpoints {
  /**
   * Sends one request to the endpoint of a version.
   *
   * @param withinMs - Time limit for the response, in milliseconds.
   * @throws AppError `BODY_TOO_LARGE` beyond SageMaker's limit, `INVALID_TENSOR` when the container refuses the tensors,
   * `TIMEOUT` after the time limit, `UNAVAILABLE` while the endpoint cannot respond (immediately while its circuit
   * breaker is open), `BAD_GATEWAY` when the container fails.
   */
  invoke(version: string, message: ContainerMessage, withinMs: number): Promise<ContainerMessage>;
}

/** Dependencies of {@link openSageMakerEndpoints}. */
export interface SageMakerEndpointsOptions {
  /** Prefix of the endpoints' names. */
  readonly name: string;
  readonly clock: Clock;
  /** Whether the model takes strings: then its reason to refuse inputs may quote one, and is not passed on. */
  readonly readsText?: boolean;
  /** Defaults to a new client. */
  readonly client?: SageMakerRuntimeClient;
  /** Returns a number from 0 to 1 that spreads second attempts. Defaults to `Math.random`. */
  readonly random?: () => number;
}

/**
 * Opens a model's endpoints. Connections are kept alive; each endpoint has its own circuit breaker.
 *
 * A prediction has no side effects. A request that the endpoint did not accept (throttled, unavailable, connection lost),
 * or that failed while it may have run together with others, is therefore sent a second time if time is left. A request that
 * timed out is not: the model may still be running it.
 */
export function openSageMakerEndpoints(options: SageMakerEndpointsOptions): SageMakerEndpoints {
  const { name, clock, readsText = false, client = openClient(), random = Math.random } = options;
  const breakers = new Map<string, CircuitBreaker>();
  const breakerOf = (version: string): CircuitBreaker => {
    const breaker = breakers.get(version) ?? new CircuitBreaker({ ...BREAKER, clock });
    breakers.set(version, breaker);
    return breaker;
  };
  const attempt = async (version: string, message: ContainerMessage, withinMs: number): Promise<ContainerMessage> => {
    const breaker = breakerOf(version);
    if (!breaker.allows()) throw circuitOpen(breaker);
    try {
      const response = await send(client, { endpoint: endpointName(name, version), message, withinMs });
      breaker.succeeded();
      return response;
    } catch (cause) {
      const error = await describe(cause, readsText);
      const health = healthAfter(error, cause, withinMs);
      if (health === 'healthy') breaker.succeeded();
      if (health === 'failing') breaker.failed();
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
        if (!isWorthRepeating(error) || leftMs < MIN_ATTEMPT_MS) throw error;
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
        return attempt(version, message, leftMs);
      }
    },
  };
}

function circuitOpen(breaker: CircuitBreaker): AppError {
  const seconds = Math.ceil(breaker.nextAttemptInMs() / 1000);
  return new AppError(
    'UNAVAILABLE',
    `the endpoint failed ${breaker.failuresInARow} times in a row; the next attempt is in ${seconds} s`,
  );
}

/**
 * Derives the health of the endpoint from an error. Refused tensors and a full queue are responses of a healthy
 * endpoint. Throttling by SageMaker, and a timeout after a short time limit, say nothing about it.
 */
function healthAfter({ code }: AppError, cause: unknown, withinMs: number): 'healthy' | 'failing' | 'unknown' {
  if (code === 'INVALID_TENSOR' || isQueueFull(cause)) return 'healthy';
  const isThrottled = errorName(cause) === 'ThrottlingException';
  const isImpatient = code === 'TIMEOUT' && withinMs < FAIR_CHANCE_MS;
  return isThrottled || isImpatient ? 'unknown' : 'failing';
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
    `the tensors have ${body.byteLength} bytes; the model's endpoint accepts at most ${MAX_INVOCATION_BYTES}; send fewer inputs in one request`,
  );
}

/**
 * Returns whether a second attempt may succeed: the endpoint did not accept the request, or the container may have merged it
 * with another, whose values the model refused.
 */
function isWorthRepeating(error: unknown): boolean {
  if (!(error instanceof AppError)) return false;
  return (
    error.code === 'UNAVAILABLE' || (error.code === 'INVALID_TENSOR' && (containerStatus(error.cause) ?? 0) >= 500)
  );
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
  const response: InvokeEndpointCommandOutput = Number.isFinite(withinMs)
    ? await withinBudget(withinMs, (abortSignal) => client.send(command, { abortSignal }))
    : await client.send(command);
  return { contentType: response.ContentType ?? '', body: response.Body ?? new Uint8Array() };
}

/**
 * Translates errors of the service. The container's own message may quote a caller's data, so only the known parts are kept.
 */
async function describe(cause: unknown, readsText: boolean): Promise<AppError> {
  if (cause instanceof TimeoutError)
    return new AppError('TIMEOUT', `the model's endpoint gave ${cause.message}`, { cause });
  const name = errorName(cause);
  if (name === 'ModelError') return describeModelError(containerStatus(cause) ?? 500, cause, readsText);
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
  return new AppError('UNAVAILABLE', `the model's endpoint cannot respond right now (${String(name)})`, { cause });
}

async function describeModelError(status: number, cause: unknown, readsText: boolean): Promise<AppError> {
  if (isQueueFull(cause)) {
    return new AppError('UNAVAILABLE', "the queue of the model's endpoint is full", { cause });
  }
  if (status === 408 || status === 504) return new AppError('TIMEOUT', 'the model took too long', { cause });
  // Triton responds with 500 when the model refuses the inputs while it runs. Only failures load this.
  const { reasonInResponse, refusal } = await import('../../../core/models/model-refusal.ts');
  const reason = reasonInResponse(containerMessage(cause), { readsText });
  // Text Embeddings Inference responds with 424 when its backend fails.
  if (reason !== undefined || (status >= 400 && status < 500 && status !== 424)) {
    return refusal(reason ?? `its container responds with ${status}`, cause);
  }
  return new AppError('BAD_GATEWAY', `the model failed to run (${status})`, { cause });
}

/**
 * Returns whether the container is running and refuses more requests than its queue holds: Triton with 503, others with 429.
 */
function isQueueFull(cause: unknown): boolean {
  const status = containerStatus(cause);
  return errorName(cause) === 'ModelError' && (status === 429 || status === 503);
}

function errorName(error: unknown): unknown {
  return (error as { readonly name?: unknown }).name;
}

/** The container's own message, as SageMaker passes it on in a `ModelError`. */
function containerMessage(error: unknown): string {
  const { OriginalMessage: message } = error as { readonly OriginalMessage?: unknown };
  return typeof message === 'string' ? message : '';
}

/** Status of the container's response, as SageMaker reports it in a `ModelError`. */
function containerStatus(error: unknown): number | undefined {
  const { OriginalStatusCode: status } = error as { readonly OriginalStatusCode?: unknown };
  return typeof status === 'number' ? status : undefined;
}
