import type { InitializationType } from './environment-variables.ts';
import { type EnvironmentSettings, ExecutionEnvironment } from './execution-environment.ts';

/** The execution environments of one version of a function. */
export class EnvironmentPool {
  readonly #settings: Omit<EnvironmentSettings, 'initializationType'>;
  readonly #provisioned: number;
  readonly #all = new Set<ExecutionEnvironment>();
  readonly #idle: ExecutionEnvironment[] = [];
  #stopping = false;
  #isRetired = false;

  /**
   * @param settings - Settings that all environments of the pool share.
   * @param provisioned - Number of environments to keep initialized.
   */
  constructor(settings: Omit<EnvironmentSettings, 'initializationType'>, provisioned: number) {
    this.#settings = settings;
    this.#provisioned = provisioned;
  }

  /** Process ids of the living environments. */
  get pids(): number[] {
    return [...this.#all].flatMap(({ pid }) => pid ?? []);
  }

  /** Starts the environments that provisioned concurrency lacks, one after the other because each needs a processor. */
  async warmUp(limitMs: number): Promise<void> {
    const warm = (): number =>
      [...this.#all].filter((one) => one.initializationType === 'provisioned-concurrency').length;
    while (warm() < this.#provisioned && !this.#stopping && !this.#isRetired) {
      const environment = await this.start('provisioned-concurrency');
      const outcome = await environment.initialize(limitMs);
      if (outcome.kind !== 'ready') {
        await this.discard(environment);
        return; // It would fail again, and the next invocation fails with the reason.
      }
      this.release(environment);
    }
  }

  /** Takes the idle environment that was used last, if there is one. */
  takeIdle(): ExecutionEnvironment | undefined {
    for (let environment = this.#idle.pop(); environment !== undefined; environment = this.#idle.pop()) {
      if (!environment.hasEnded) return environment;
      this.#all.delete(environment);
    }
    return undefined;
  }

  /** Starts another environment; the caller waits for its init phase. */
  async start(initializationType: InitializationType): Promise<ExecutionEnvironment> {
    const environment = await ExecutionEnvironment.start({ ...this.#settings, initializationType });
    this.#all.add(environment);
    if (this.#stopping) await environment.stop();
    return environment;
  }

  /** Makes a healthy environment available again. */
  release(environment: ExecutionEnvironment): void {
    if (this.#isRetired) void this.discard(environment);
    else this.#idle.push(environment);
  }

  /** Ends the idle environments now, and the others after their invocation. */
  async retire(): Promise<void> {
    this.#isRetired = true;
    await Promise.all(this.#idle.splice(0).map((environment) => this.discard(environment)));
  }

  /** Ends an environment that is broken or no longer needed. */
  async discard(environment: ExecutionEnvironment): Promise<void> {
    this.#all.delete(environment);
    await environment.stop();
  }

  /** Ends environments that were started on demand and have been idle for some time. */
  async reapIdle(idleMs: number): Promise<void> {
    const before = performance.now() - idleMs;
    const stale = this.#idle.filter((one) => one.initializationType === 'on-demand' && one.idleSinceMs <= before);
    for (const environment of stale) this.#idle.splice(this.#idle.indexOf(environment), 1);
    await Promise.all(stale.map((environment) => this.discard(environment)));
  }

  /** Kills an environment, whatever it does. */
  async kill(id: string): Promise<void> {
    await this.#find(id)?.stop();
  }

  /** Stops an environment that works. Its invocation times out soon. */
  stall(id: string): void {
    this.#find(id)?.stall();
  }

  /** Ends every environment; none is started after. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all([...this.#all].map((environment) => environment.stop()));
    this.#all.clear();
  }

  #find(id: string): ExecutionEnvironment | undefined {
    return [...this.#all].find((environment) => environment.id === id);
  }
}
