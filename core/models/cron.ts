/** A field of a cron expression of AWS. */
interface Field {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  /** Names of values, the first of them for `min`. */
  readonly words?: readonly string[];
  /** Values that only this field has. */
  readonly special?: RegExp;
}

const DAY_OF_MONTH = 2;
const DAY_OF_WEEK = 4;

const MONTHS = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];
const DAYS = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];

/**
 * The fields in their order.
 *
 * @see https://docs.aws.amazon.com/autoscaling/application/userguide/scheduled-scaling-using-cron-expressions.html
 */
const FIELDS: readonly Field[] = [
  { name: 'minutes', min: 0, max: 59 },
  { name: 'hours', min: 0, max: 23 },
  { name: 'day of month', min: 1, max: 31, special: /^(\?|LW?|L-\d{1,2}|\d{1,2}W)$/ },
  { name: 'month', min: 1, max: 12, words: MONTHS },
  { name: 'day of week', min: 1, max: 7, words: DAYS, special: /^(\?|([1-7]|[A-Z]{3})?L|([1-7]|[A-Z]{3})#[1-5])$/ },
  { name: 'year', min: 1970, max: 2199 },
];

/**
 * Describes what is wrong with a cron expression of AWS.
 *
 * @param cron - Six fields with a space between them.
 * @returns Undefined if AWS accepts it.
 */
export function cronProblem(cron: string): string | undefined {
  const fields = cron.split(' ');
  const wrong = FIELDS.findIndex((field, index) => !accepts(field, fields[index] ?? ''));
  const field = FIELDS[wrong];
  if (field !== undefined) {
    const words = field.words === undefined ? '' : ` or ${field.words[0]} to ${field.words.at(-1)}`;
    return `the ${field.name} must be from ${field.min} to ${field.max}${words}, got ${fields[wrong]}`;
  }
  const days = [fields[DAY_OF_MONTH], fields[DAY_OF_WEEK]];
  if (days.filter((day) => day === '?').length === 1) return undefined;
  return `either the day of month or the day of week must be ?, got ${days.join(' and ')}`;
}

/** Returns whether the IANA database has a time zone. */
export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

function accepts(field: Field, text: string): boolean {
  return text.split(',').every((part) => field.special?.test(part) === true || acceptsRange(field, part));
}

/** One value, a range or all values, and perhaps a step. */
function acceptsRange(field: Field, part: string): boolean {
  const [range = '', step = '1', ...rest] = part.split('/');
  if (rest.length > 0 || !/^[1-9]\d{0,3}$/.test(step)) return false;
  const bounds = range.split('-');
  return range === '*' || (bounds.length <= 2 && bounds.every((value) => isValue(field, value)));
}

function isValue({ min, max, words = [] }: Field, value: string): boolean {
  if (words.includes(value)) return true;
  return /^\d{1,4}$/.test(value) && Number(value) >= min && Number(value) <= max;
}
