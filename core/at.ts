/**
 * Returns the element at an index that must exist.
 *
 * @throws RangeError when it does not: a mistake of this program, never of a caller.
 */
export function at<T>(values: ArrayLike<T>, index: number): T {
  const value = values[index];
  if (value === undefined) throw new RangeError(`index ${index} is outside of a list of ${values.length}`);
  return value;
}
