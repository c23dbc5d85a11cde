import { InvalidArgumentError, Option } from 'commander';
import { AppError } from '../core/errors.ts';
import { findInstances, type Instance, portOf } from '../local/instances.ts';

/** Folder of local mode's files, in the folder of the CDK app. */
const DIRECTORY = '.tensorgate';

/** Credentials of the endpoint that stands for AWS in local mode. */
export const LOCAL_CREDENTIALS = {
  region: 'us-east-1',
  credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
} as const;

/** Returns the option `--port`, which chooses among several instances of local mode. */
export function portOption(): Option {
  return new Option('--port <number>', 'port of the API in local mode, if several run in this folder').argParser(
    (text: string): number => {
      const number = Number(text);
      if (Number.isInteger(number) && number > 0 && number <= 65_535) return number;
      throw new InvalidArgumentError('It must be a whole number from 1 to 65535.');
    },
  );
}

/**
 * Finds the instance of local mode that a command works with.
 *
 * @param port - Port of its API; needed if several run.
 * @param alternative - What the operator can name instead, for the message: `name a queue with --queue-url`.
 * @throws AppError `UNAVAILABLE` when it does not run, `INVALID_PARAMETER` when several do.
 */
export async function findInstance(port: number | undefined, alternative: string): Promise<Instance> {
  const { running, stale } = await findInstances(DIRECTORY);
  const chosen = port === undefined ? running : running.filter(({ description }) => portOf(description) === port);
  const [first, ...others] = chosen;
  if (first !== undefined && others.length === 0) return first;
  const ports = running.map(({ description }) => portOf(description)).join(', ');
  if (first !== undefined) {
    throw new AppError('INVALID_PARAMETER', `--port is needed: local mode runs on the ports ${ports}`);
  }
  const where = running.length > 0 ? `it runs on ${ports}` : `start it with npm start, or ${alternative}`;
  const left = stale.map(
    ({ file, description }) => `; ${file} is left over from process ${description.pid}, which ended`,
  );
  const requested = port === undefined ? '' : ` on port ${port}`;
  throw new AppError('UNAVAILABLE', `local mode does not run in this folder${requested}: ${where}${left.join('')}`);
}
