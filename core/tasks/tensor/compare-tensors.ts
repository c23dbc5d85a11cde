import { valuesOf } from '../../tensors/half.ts';
import type { Tensor } from '../../tensors/tensor.ts';
import type { Agreement, Tensors } from '../contract/task.ts';

/**
 * Compares the outputs of a tensor model: 1 less the relative error, of the output that differs most. Outputs of strings
 * agree as far as their elements are equal; outputs of another size do not agree at all.
 */
export function compareTensors(a: Tensors, b: Tensors): Agreement {
  const values = Object.entries(a).map(([name, tensor]) => agreementOf(tensor, b[name]));
  return { measure: '1 - relative error', value: Math.min(1, ...values) };
}

function agreementOf(tensor: Tensor, other: Tensor | undefined): number {
  const a = valuesOf(tensor);
  const b = other === undefined ? undefined : valuesOf(other);
  if (b === undefined || a.length !== b.length) return 0;
  if (!ArrayBuffer.isView(a))
    return a.length === 0 ? 1 : a.filter((text, index) => text === b[index]).length / a.length;
  let difference = 0;
  let size = 0;
  for (let index = 0; index < a.length; index++) {
    const x = Number(a[index]);
    const y = Number(b[index]);
    // Differences from NaN and infinity have no size: they are equal, or do not agree at all.
    if (Object.is(x, y)) size += Number.isFinite(x) ? x ** 2 : 0;
    else if (!Number.isFinite(x - y)) return 0;
    else {
      difference += (x - y) ** 2;
      size += x ** 2;
    }
  }
  if (difference === 0) return 1;
  return Math.max(0, 1 - Math.sqrt(difference / Math.max(size, Number.MIN_VALUE)));
}
