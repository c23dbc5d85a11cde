import { Annotations } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { DeployConfig } from '../../core/config/deploy-config.ts';
import { type ConcurrencyPlan, planConcurrency } from '../../core/functions/concurrency-plan.ts';
import { FUNCTIONS, type FunctionDefinition } from '../../core/functions/functions.ts';
import type { ModelQueueName } from '../../core/functions/permissions.ts';
import type { Model } from '../packaging/model.ts';

/** The concurrency of the functions behind the queues. */
export interface JobsConcurrency {
  readonly plan: ConcurrencyPlan;
  /** Returns the maximum concurrency of the function of a shared queue. */
  ofFunction(name: string): number;
  /** Returns the maximum concurrency of a model's worker on one of its queues. */
  ofWorker(model: Model, queue: ModelQueueName): number;
}

/**
 * Plans the concurrency of the functions behind the queues. A plan that leaves callers too little is a warning, because a new
 * account cannot do better.
 *
 * @param scope - Construct that the warning belongs to.
 * @throws AppError `CONFIG_INVALID` when the models reserve more than AWS lets an account reserve.
 */
export function planJobsConcurrency(
  scope: Construct,
  models: readonly Model[],
  concurrency: DeployConfig['concurrency'],
): JobsConcurrency {
  const definitions: readonly (readonly [string, FunctionDefinition])[] = Object.entries(FUNCTIONS);
  const shared = definitions.flatMap(([name, { consumes }]) =>
    consumes === undefined ? [] : [{ name, maxConcurrency: consumes.maxConcurrency }],
  );
  const workers = models.flatMap((model) =>
    (['jobs', 'chunks'] as const).map((queue) => ({
      name: nameOfWorker(model, queue),
      maxConcurrency: model.manifest.jobs.maxConcurrency,
    })),
  );
  const background = [...shared, ...workers];
  const plan = planConcurrency({ ...concurrency, background, reserved: reservedBy(models), source: scope.node.path });
  if (plan.warning !== undefined) Annotations.of(scope).addWarningV2('Tensorgate:Concurrency', plan.warning);
  const limits = new Map(background.map(({ name }, index) => [name, plan.limits[index]]));
  const limitOf = (name: string): number => {
    const limit = limits.get(name);
    if (limit === undefined) throw new TypeError(`${name} has no concurrency`);
    return limit;
  };
  return { plan, ofFunction: limitOf, ofWorker: (model, queue) => limitOf(nameOfWorker(model, queue)) };
}

/**
 * Checks the reservations of models of an API without jobs.
 *
 * @param scope - Construct that the message names.
 * @throws AppError `CONFIG_INVALID` when the models reserve more than AWS lets an account reserve.
 */
export function checkReservations(
  scope: Construct,
  models: readonly Model[],
  concurrency: DeployConfig['concurrency'],
): void {
  planConcurrency({ ...concurrency, background: [], reserved: reservedBy(models), source: scope.node.path });
}

function nameOfWorker({ id }: Model, queue: ModelQueueName): string {
  return `run-jobs-${id} ${queue}`;
}

/**
 * Executions that other functions cannot use. AWS Lambda counts provisioned concurrency of a function without a reservation
 * against the same limit.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/provisioned-concurrency.html
 */
function reservedBy(models: readonly Model[]): number {
  const reserved = models.map(
    ({ manifest: { compute } }) => compute.reservedConcurrency ?? compute.provisioned?.min ?? 0,
  );
  return reserved.reduce((sum, one) => sum + one, 0);
}
