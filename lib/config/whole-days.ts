import type { Duration } from 'aws-cdk-lib';
import { AppError } from '../../core/errors.ts';

/**
 * Converts a duration to days.
 *
 * @param property - Name of the property, for the message.
 * @throws AppError `CONFIG_INVALID` unless it is a whole number of days.
 */
export function wholeDays(property: string, duration: Duration | undefined): number | undefined {
  const days = duration?.toDays({ integral: false });
  if (days === undefined || Number.isInteger(days)) return days;
  const message = `${property} must be a whole number of days, got ${duration?.toHumanString()}`;
  throw new AppError('CONFIG_INVALID', message, { param: property });
}
