import type { TritonMessage } from '../../../core/protocols/triton-binary.ts';
import type { EndpointPlan } from '../../template/plan-endpoints.ts';
import type { NotRun } from '../../template/plan-functions.ts';
import { type ContainerAnswer, ContainerProcess } from './container-process.ts';

/** Longest that a container may take, as SageMaker allows. */
const INVOCATION_MS = 60_000;

/** What came of an invocation. */
export type InvocationOutcome =
  | { readonly kind: 'answered'; readonly variant: string; readonly answer: ContainerAnswer }
  | { readonly kind: 'no-endpoint' }
  | { readonly kind: 'no-variant'; readonly variants: readonly string[] }
  | { readonly kind: 'unavailable' }
  | { readonly kind: 'timeout' };

/** Runs the endpoints of an app: a process stands in for each variant's containers. */
export class SageMakerHost {
  readonly #endpoints: ReadonlyMap<string, readonly ContainerProcess[]>;

  constructor(endpoints: readonly EndpointPlan[], logsDirectory: string) {
    this.#endpoints = new Map(
      endpoints.map(({ name, variants }) => [
        name,
        variants.map((variant) => new ContainerProcess(variant, logsDirectory, `${name}-${variant.name}.log`)),
      ]),
    );
  }

  /** The containers of an endpoint, for tests to look at. */
  containers(endpoint: string): readonly ContainerProcess[] {
    return this.#endpoints.get(endpoint) ?? [];
  }

  /** Waits until all containers answer. */
  async ready(): Promise<void> {
    await Promise.all([...this.#endpoints.values()].flat().map((container) => container.ready()));
  }

  /** What containers were asked for and do without, once all answer. */
  unmet(): NotRun[] {
    return [...this.#endpoints].flatMap(([resource, containers]) =>
      containers.flatMap(({ accelerators, plan }) =>
        accelerators.map((accelerator) => ({
          ...{ resource, type: 'AWS::SageMaker::Endpoint' },
          reason: `its variant ${plan.name} runs without ${accelerator} here`,
        })),
      ),
    );
  }

  /**
   * Invokes an endpoint.
   *
   * @param variant - Production variant to ask; without it they take their turns by weight.
   */
  async invoke(endpoint: string, message: TritonMessage, variant?: string): Promise<InvocationOutcome> {
    const containers = this.#endpoints.get(endpoint);
    if (containers === undefined) return { kind: 'no-endpoint' };
    const container =
      variant === undefined ? byWeight(containers) : containers.find(({ plan }) => plan.name === variant);
    if (container === undefined) return { kind: 'no-variant', variants: containers.map(({ plan }) => plan.name) };
    if (!container.isReady) return { kind: 'unavailable' };
    const signal = AbortSignal.timeout(INVOCATION_MS);
    try {
      return { kind: 'answered', variant: container.plan.name, answer: await container.invoke(message, signal) };
    } catch {
      return { kind: signal.aborted ? 'timeout' : 'unavailable' };
    }
  }

  /** Ends all containers. */
  async stop(): Promise<void> {
    await Promise.all([...this.#endpoints.values()].flat().map((container) => container.stop()));
  }
}

function byWeight(containers: readonly ContainerProcess[]): ContainerProcess | undefined {
  const total = containers.reduce((sum, { plan }) => sum + plan.weight, 0);
  let left = Math.random() * total;
  return containers.find(({ plan }) => {
    left -= plan.weight;
    return left < 0;
  });
}
