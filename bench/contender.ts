import type { ProcessMemory } from './process-memory.ts';

/** A server that answers `POST /v1/embeddings` with the model that is measured. */
export interface Contender {
  readonly name: string;
  /** Whether it is this product, or what this product is compared with. */
  readonly side: 'ours' | 'peer';
  /** Starts the server; it answers when this returns. */
  start(): Promise<RunningServer>;
}

/** A contender that runs. */
export interface RunningServer {
  /** URL of the embeddings route. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  memory(): ProcessMemory | undefined;
  stop(): Promise<void>;
}

/** A contender that cannot run here, and why. */
export interface Skipped {
  readonly name: string;
  readonly reason: string;
}
