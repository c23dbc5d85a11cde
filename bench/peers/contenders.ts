import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { startChild } from '../child.ts';
import type { Contender, RunningServer, Skipped } from '../contender.ts';
import { findModelFiles } from '../model-files.ts';
import { WORK_DIRECTORY } from '../repository.ts';

/** The peers that run on Node have their own dependencies: half a gigabyte that nothing else needs. */
const NODE_PEERS = join(import.meta.dirname, 'node');

const START_TIMEOUT_MS = 60_000;

/** Servers to compare with, and those that cannot run here. */
export interface Peers {
  readonly contenders: readonly Contender[];
  readonly skipped: readonly Skipped[];
}

/** Gets the peers ready: installs those on Node unless they are, and looks for Python. */
export function preparePeers(): Peers {
  const results = [...nodePeers(), ...pythonPeers()];
  return {
    contenders: results.filter((result) => 'start' in result),
    skipped: results.filter((result) => 'reason' in result),
  };
}

function nodePeers(): readonly (Contender | Skipped)[] {
  const reason = installNodePeers();
  return [
    { name: 'fastify + onnxruntime-node', script: 'onnxruntime-server.mjs' },
    { name: 'fastify + transformers.js', script: 'transformers-server.mjs' },
  ].map(({ name, script }) =>
    reason === undefined
      ? { name, side: 'peer' as const, start: () => startPeer(process.execPath, [join(NODE_PEERS, script)], {}) }
      : { name, reason },
  );
}

/** @returns Why they cannot be installed; undefined once they are. */
function installNodePeers(): string | undefined {
  if (existsSync(join(NODE_PEERS, 'node_modules/.package-lock.json'))) return undefined;
  try {
    const options = ['--ignore-scripts', '--no-audit', '--no-fund', '--prefix', NODE_PEERS];
    execFileSync('npm', ['ci', ...options], { cwd: NODE_PEERS, stdio: ['ignore', 'ignore', 'pipe'] });
    return undefined;
  } catch {
    return `npm ci failed in ${NODE_PEERS}`;
  }
}

function pythonPeers(): readonly (Contender | Skipped)[] {
  const python = process.env['TENSORGATE_PYTHON'] ?? 'python3';
  const reason = whyNoPython(python);
  return [
    { name: 'FastAPI + onnxruntime, 1 x 2 threads', workers: '1', threads: '2' },
    { name: 'FastAPI + onnxruntime, 2 x 1 thread', workers: '2', threads: '1' },
  ].map(({ name, workers, threads }) => {
    if (reason !== undefined) return { name, reason };
    const env = { PEER_WORKERS: workers, PEER_THREADS: threads };
    return { name, side: 'peer' as const, start: () => startPeer(python, ['fastapi_server.py'], env) };
  });
}

function whyNoPython(python: string): string | undefined {
  try {
    execFileSync(python, ['-c', 'import fastapi, httptools, numpy, onnxruntime, tokenizers, uvicorn, uvloop'], {
      stdio: 'ignore',
    });
    return undefined;
  } catch {
    return `${python} lacks the packages of bench/peers/requirements-server.txt; TENSORGATE_PYTHON names another interpreter`;
  }
}

async function startPeer(command: string, args: readonly string[], env: Readonly<Record<string, string>>) {
  const { weights, tokenizer } = findModelFiles();
  const child = startChild(command, args, {
    cwd: import.meta.dirname,
    env: { PEER_MODEL: weights, PEER_TOKENIZER: tokenizer, PEER_WORK: WORK_DIRECTORY, ...env },
  });
  try {
    const [, origin = ''] = await child.line(/listening on (http:\S+)/, START_TIMEOUT_MS);
    const server: RunningServer = {
      url: `${origin}/v1/embeddings`,
      headers: {},
      memory: () => child.memory(),
      stop: () => child.stop(),
    };
    return server;
  } catch (error) {
    await child.stop();
    throw error;
  }
}
