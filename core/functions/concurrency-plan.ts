import { AppError } from '../errors.ts';

/** Concurrent executions that AWS Lambda leaves unreserved in an account. */
const UNRESERVED = 100;

/** Lowest `MaximumConcurrency` of an event source mapping of Amazon SQS (AWS Lambda API reference, `ScalingConfig`). */
const MIN_OF_MAPPING = 2;

/** Work that no caller waits for. */
export interface BackgroundWork {
  /** The function and its queue, for messages. */
  readonly name: string;
  /** Concurrent invocations that it may use if there are enough. */
  readonly maxConcurrency: number;
}

/** Inputs of the plan. */
export interface ConcurrencyOptions {
  /** Concurrent executions of the account in the region, over all functions. */
  readonly account: number;
  /** Share of the account for requests that callers wait for. */
  readonly interactiveShare: number;
  readonly background: readonly BackgroundWork[];
  /** Concurrent executions that functions of the deployment reserve, or provision without a reservation. */
  readonly reserved: number;
  /** Path of the setting, for messages. */
  readonly source: string;
}

/** How the concurrent executions of an account are divided. */
export interface ConcurrencyPlan {
  readonly account: number;
  /** Executions that background work can never take. */
  readonly interactive: number;
  /** Maximum executions of all background work together. */
  readonly background: number;
  /** Maximum executions of each background work, in the order of the options. */
  readonly limits: readonly number[];
  /** Whether background work has fewer than it may use. */
  readonly isReduced: boolean;
  /** Problems of a plan that AWS accepts. */
  readonly warning?: string;
}

/**
 * Divides the concurrent executions of an account, so that batches do not starve callers: background work gets the executions
 * that it may use if that is within its share, and otherwise a part of the share in proportion, two for each event source
 * mapping at least.
 *
 * @throws AppError `CONFIG_INVALID` when functions reserve more than AWS lets an account reserve.
 */
export function planConcurrency(options: ConcurrencyOptions): ConcurrencyPlan {
  const { account, interactiveShare, background, reserved, source } = options;
  if (reserved > 0 && reserved > account - UNRESERVED) {
    const advice =
      account <= UNRESERVED
        ? `so an account with ${account} can reserve and provision none; remove compute.reservedConcurrency and compute.provisioned`
        : 'lower compute.reservedConcurrency and compute.provisioned';
    throw new AppError(
      'CONFIG_INVALID',
      `${source}: models reserve or provision ${reserved} concurrent executions, but AWS Lambda keeps ${UNRESERVED} of the account's ${account} unreserved; ${advice}, or raise concurrency.account once AWS has raised your quota`,
    );
  }
  const share = Math.floor((account - reserved) * (1 - interactiveShare));
  const requested = background.map(({ maxConcurrency }) => maxConcurrency);
  const limits = reduceTo(share, requested);
  const total = limits.reduce((sum, limit) => sum + limit, 0);
  return {
    account,
    interactive: Math.max(0, account - total),
    background: total,
    limits,
    isReduced: background.some(({ maxConcurrency }, index) => (limits[index] ?? 0) < maxConcurrency),
    ...(total <= share ? {} : { warning: tooSmall({ account, total, share, source }) }),
  };
}

/** Reduces limits in proportion until their sum is within a budget, but none below the minimum of a mapping. */
function reduceTo(budget: number, requested: readonly number[]): number[] {
  let limits = [...requested];
  let factor = 1;
  while (limits.reduce((sum, limit) => sum + limit, 0) > budget && factor > 0.001) {
    factor *= 0.99;
    limits = requested.map((limit) => Math.min(limit, Math.max(MIN_OF_MAPPING, Math.floor(limit * factor))));
  }
  return limits;
}

function tooSmall({
  account,
  total,
  share,
  source,
}: Record<'account' | 'total' | 'share', number> & { source: string }) {
  const rest = account - total;
  const effect =
    rest > 0 ? `leaves ${rest} for callers` : 'can take all of them, so callers may get 503 while batches run';
  return `${source}: background work needs at least ${total} of the account's ${account} concurrent executions, more than its share of ${share}, and ${effect}; request a higher quota "Concurrent executions" of AWS Lambda, then set concurrency.account`;
}
