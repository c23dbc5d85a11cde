import { join } from 'node:path';
import type { Assembly } from './assembly.ts';
import { startChild } from './child.ts';
import type { Contender, RunningServer } from './contender.ts';
import { WORK_DIRECTORY } from './repository.ts';

const START_TIMEOUT_MS = 60_000;

/** This product in local mode: the synthesized API, the real bundle, one process for each execution environment. */
export function localContender(name: string, assembly: Assembly, headers: Readonly<Record<string, string>>): Contender {
  return { name, side: 'ours', start: () => startServer(assembly, headers) };
}

async function startServer(assembly: Assembly, headers: Readonly<Record<string, string>>): Promise<RunningServer> {
  const directory = join(WORK_DIRECTORY, 'local');
  const script = join(import.meta.dirname, 'local-server.ts');
  const child = startChild(process.execPath, [script, '--assembly', assembly.directory, '--directory', directory], {
    cwd: WORK_DIRECTORY,
  });
  try {
    const [, url = '', key = ''] = await child.line(/listening on (\S+) with key (\S+)/, START_TIMEOUT_MS);
    return {
      url: `${url}/v1/embeddings`,
      headers: { 'x-api-key': key, ...headers },
      memory: () => child.memory(),
      stop: () => child.stop(),
    };
  } catch (error) {
    await child.stop();
    throw error;
  }
}
