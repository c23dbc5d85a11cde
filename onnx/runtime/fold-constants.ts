import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ModelProto } from '../format/onnx-messages.ts';
import { decodeModel, encodeModel } from '../format/proto.ts';
import { openSession } from './session.ts';

/**
 * Lets onnxruntime fold constants and drop what has no effect (its level `basic`), so that every weight is a named
 * constant that the schemes can see.
 *
 * @param disabledOptimizers - Names of onnxruntime's optimizers to leave out. Defaults to none.
 * @throws AppError `ONNX_INVALID` when onnxruntime refuses the model.
 */
export async function foldConstants(
  model: ModelProto,
  disabledOptimizers: readonly string[] = [],
): Promise<ModelProto> {
  const folder = mkdtempSync(join(tmpdir(), 'tensorgate-fold-'));
  try {
    const saveTo = join(folder, 'folded.onnx');
    const session = await openSession(encodeModel(model), { level: 'basic', saveTo, disabledOptimizers });
    await session.release();
    return decodeModel(readFileSync(saveTo), 'the folded model', folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
