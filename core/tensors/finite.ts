import { AppError } from '../errors.ts';

/**
 * Refuses a result that contains NaN or infinity, which must therefore neither be cached nor returned.
 *
 * @throws AppError `ANSWER_NOT_FINITE` when a value is NaN or infinite.
 */
export function checkFinite(values: Float32Array | Float64Array): void {
  if (!allFinite(values)) throw notFinite();
}

/** The words for numbers that JSON has no form for, as tensors are written and read. */
export const NON_FINITE: ReadonlyMap<string, number> = new Map([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
]);

/** Writes NaN and infinity as a JSON string: one of the words of {@link NON_FINITE}. */
export function nonFiniteText(value: number): string {
  return `"${value}"`;
}

/** Creates the error for a result that contains NaN or infinity. */
export function notFinite(): AppError {
  return new AppError('ANSWER_NOT_FINITE', 'the model returned a number that is NaN or infinite');
}

function allFinite(values: Float32Array | Float64Array): boolean {
  // Zero times anything finite is zero, else NaN, which stays: no branch for each value.
  let probe = 0;
  for (let index = 0; index < values.length; index++) probe += (values[index] ?? 0) * 0;
  return probe === 0;
}
