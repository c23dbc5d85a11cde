import type { PatientCaller } from './client.ts';

interface Deletion {
  readonly caller: PatientCaller;
  /** `/v1/jobs/{id}` or `/v1/batches/{id}`. */
  readonly path: string;
}

/** Deletes jobs and batches while they run: cancels them, and repeats the deletion until it succeeds. */
export class Deletions {
  readonly #pending = new Set<Deletion>();

  /** Paths that could not be deleted yet. */
  get pending(): string[] {
    return [...this.#pending].map(({ path }) => path);
  }

  /** Tries to delete a job or batch now, and with each {@link retry} if it is too early. */
  async add(caller: PatientCaller, path: string): Promise<void> {
    const deletion = { caller, path };
    this.#pending.add(deletion);
    await this.#try(deletion);
  }

  /** Tries again to delete what could not be deleted yet. */
  async retry(): Promise<void> {
    for (const deletion of this.#pending) await this.#try(deletion);
  }

  /** A job whose record is not written yet is not found. One that runs, and a batch that is being canceled, have not ended. */
  async #try(deletion: Deletion): Promise<void> {
    const { caller, path } = deletion;
    await caller.call('POST', `${path}/cancel`);
    const { status } = await caller.call('DELETE', path);
    if (status === 200) this.#pending.delete(deletion);
  }
}
