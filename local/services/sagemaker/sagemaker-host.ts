import type { ContainerMessage } from '../../../core/protocols/container-message.ts';
import { INVOCATION_SECONDS } from '../../../core/sagemaker/endpoint-contract.ts';
import { type ActivitySink, NO_ACTIVITY } from '../../activity/activity.ts';
import type { EndpointPlan, VariantPlan } from '../../template/plan-endpoints.ts';
import type { NotRun } from '../../template/plan-functions.ts';
import { ContainerProcess, type ContainerResponse } from './container-process.ts';

/** Maximum duration of an invocation, as on SageMaker. */
const INVOCATION_MS = INVOCATION_SECONDS * 1000;

/** Result of an invocation. */
export type InvocationOutcome =
  | { readonly kind: 'responded'; readonly variant: string; readonly response: ContainerResponse }
  | { readonly kind: 'no-endpoint' }
  | { readonly kind: 'no-variant'; readonly variants: readonly string[] }
  | { readonly kind: 'unavailable' }
  | { readonly kind: 'timeout' };

/** The containers of one endpoint. */
interface EndpointContainers {
  readonly variants: readonly ContainerProcess[];
  readonly shadow: ContainerProcess | undefined;
}

/** Runs the endpoints of an app: a process stands in for each variant's containers. */
export class SageMakerHost implements AsyncDisposable {
  readonly #endpoints: ReadonlyMap<string, EndpointContainers>;

  /** @param activity - Where starts and ends of containers are reported. Defaults to nowhere. */
  constructor(endpoints: readonly EndpointPlan[], logsDirectory: string, activity: ActivitySink = NO_ACTIVITY) {
    this.#endpoints = new Map(
      endpoints.map(({ name, variants, shadow }) => {
        const start = (plan: VariantPlan) =>
          new ContainerProcess({ plan, name: `${name}-${plan.name}`, logsDirectory, activity });
        return [name, { variants: variants.map(start), shadow: shadow === undefined ? undefined : start(shadow) }];
      }),
    );
  }

  /** The containers of an endpoint, the shadow's last, for tests. */
  containers(endpoint: string): readonly ContainerProcess[] {
    const { variants = [], shadow } = this.#endpoints.get(endpoint) ?? {};
    return shadow === undefined ? variants : [...variants, shadow];
  }

  /** Waits until all containers respond. */
  async ready(): Promise<void> {
    await Promise.all(this.#all().map((container) => container.ready()));
  }

  /** Accelerators that containers ask for and that this machine lacks, known once all containers respond. */
  unmet(): NotRun[] {
    return [...this.#endpoints.keys()].flatMap((resource) =>
      this.containers(resource).flatMap(({ accelerators, plan }) =>
        accelerators.map((accelerator) => ({
          resource,
          type: 'AWS::SageMaker::Endpoint',
          reason: `its variant ${plan.name} runs without ${accelerator} here`,
        })),
      ),
    );
  }

  /**
   * Invokes an endpoint. Its shadow gets copies of a share of the requests; the caller does not wait for those.
   *
   * @param variant - Production variant to invoke. Defaults to a random one by weight.
   */
  async invoke(endpoint: string, message: ContainerMessage, variant?: string): Promise<InvocationOutcome> {
    const containers = this.#endpoints.get(endpoint);
    if (containers === undefined) return { kind: 'no-endpoint' };
    const { variants, shadow } = containers;
    const container = variant === undefined ? byWeight(variants) : variants.find(({ plan }) => plan.name === variant);
    if (container === undefined) return { kind: 'no-variant', variants: variants.map(({ plan }) => plan.name) };
    if (shadow !== undefined && Math.random() * container.plan.weight < shadow.plan.weight) copyTo(shadow, message);
    if (!container.isReady) return { kind: 'unavailable' };
    const signal = AbortSignal.timeout(INVOCATION_MS);
    try {
      return { kind: 'responded', variant: container.plan.name, response: await container.invoke(message, signal) };
    } catch {
      return { kind: signal.aborted ? 'timeout' : 'unavailable' };
    }
  }

  /** Ends all containers. */
  async stop(): Promise<void> {
    await Promise.all(this.#all().map((container) => container.stop()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #all(): readonly ContainerProcess[] {
    return [...this.#endpoints.keys()].flatMap((endpoint) => this.containers(endpoint));
  }
}

/** Sends a copy of a request; the shadow's log shows the result. */
function copyTo(shadow: ContainerProcess, message: ContainerMessage): void {
  shadow.invoke(message, AbortSignal.timeout(INVOCATION_MS)).catch(() => undefined);
}

function byWeight(containers: readonly ContainerProcess[]): ContainerProcess | undefined {
  const total = containers.reduce((sum, { plan }) => sum + plan.weight, 0);
  let left = Math.random() * total;
  return containers.find(({ plan }) => {
    left -= plan.weight;
    return left < 0;
  });
}
