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

function agreementOf({ data: a }: Tensor, other: Tensor | undefined): number {
  const b = other?.data;
  if (b === undefined || a.length !== b.length) return 0;
  if (!ArrayBuffer.isView(a))
    return a.length === 0 ? 1 : a.filter((text, index) => text === b[index]).length / a.length;
  let difference = 0;
  let size = 0;
  for (let index = 0; index < a.length; index++) {
    const x = Number(a[index]);
    difference += (x - Number(b[index])) ** 2;
    size += x ** 2;
  }
  if (difference === 0) return 1;
  return Math.max(0, 1 - Math.sqrt(difference / Math.max(size, Number.MIN_VALUE)));
}
