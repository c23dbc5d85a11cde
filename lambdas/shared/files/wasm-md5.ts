import { createMD5, type IHasher } from 'hash-wasm';
import { MD5_START, type ResumableMd5 } from '../../../core/files/resumable-md5.ts';

/** Opens MD5 in WebAssembly. Its states are those of hash-wasm in base64. */
export async function openWasmMd5(): Promise<ResumableMd5> {
  const hasher = await createMD5();
  return {
    canResume: (state) => {
      try {
        resume(hasher, state);
        return true;
      } catch {
        return false;
      }
    },
    update: (state, bytes) => Buffer.from(resume(hasher, state).update(bytes).save()).toString('base64'),
    digest: (state) => resume(hasher, state).digest(),
  };
}

/** @throws Error if an incompatible build of hash-wasm, or another implementation, stored the state. */
function resume(hasher: IHasher, state: string): IHasher {
  return state === MD5_START ? hasher.init() : hasher.load(Buffer.from(state, 'base64'));
}
