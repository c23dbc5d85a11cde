/** Runs tasks one after the other, in the order they come. */
export class WriteLock {
  #tail: Promise<unknown> = Promise.resolve();

  /** Runs a task once those before it are over, however they ended. */
  run<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(task, task);
    this.#tail = result.catch(() => undefined);
    return result;
  }
}
