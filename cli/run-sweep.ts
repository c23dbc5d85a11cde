import { InvokeCommand, LambdaClient, type LambdaClientConfig } from '@aws-sdk/client-lambda';
import { AppError } from '../core/errors.ts';
import type { SweepReport } from '../core/sweep/sweep.ts';
import { findInstance, LOCAL_CREDENTIALS } from './local-instance.ts';
import { renderTable } from './table.ts';

/** Options of the command as typed. */
export interface SweepCommandOptions {
  /** Name or ARN of the function. */
  readonly function?: string;
  /** Port of the API in local mode. */
  readonly port?: number;
  readonly json?: boolean;
}

/** Name of the output that names the function. */
const OUTPUT = 'sweep-records';

/**
 * Runs `tensorgate jobs sweep`.
 *
 * @returns What the function settled.
 * @throws AppError `UNAVAILABLE` when the function cannot be invoked or fails, or local mode does not run.
 */
export async function runSweep(options: SweepCommandOptions): Promise<SweepReport> {
  const { name, config } = options.function === undefined ? await localPlace(options.port) : placeOf(options.function);
  // A sweep takes minutes if much is due. A second one at the same time would gain nothing.
  const client = new LambdaClient({ ...config, maxAttempts: 1 });
  try {
    return await invoke(client, name);
  } catch (error) {
    if (error instanceof AppError) throw error;
    const { name: kind, message } = error instanceof Error ? error : new Error(String(error));
    throw new AppError('UNAVAILABLE', `the function ${name} cannot be invoked: ${kind}: ${message}`, { cause: error });
  } finally {
    client.destroy();
  }
}

async function invoke(client: LambdaClient, name: string): Promise<SweepReport> {
  const output = await client.send(new InvokeCommand({ FunctionName: name, Payload: '{}' }));
  const text = Buffer.from(output.Payload ?? []).toString();
  if (output.FunctionError === undefined) return JSON.parse(text) as SweepReport;
  throw new AppError('UNAVAILABLE', `the function ${name} failed, its log says why: ${output.FunctionError}`);
}

interface Place {
  readonly name: string;
  readonly config: LambdaClientConfig;
}

/** The region is in the ARN of a function; a name is looked up with the SDK's own settings. */
function placeOf(name: string): Place {
  const region = /^arn:[\w-]+:lambda:([a-z0-9-]+):/.exec(name)?.[1];
  return { name, config: region === undefined ? {} : { region } };
}

async function localPlace(port: number | undefined): Promise<Place> {
  const { description } = await findInstance(port, 'name a function with --function');
  const name = description.functions[OUTPUT];
  if (name === undefined) {
    throw new AppError('INVALID_PARAMETER', `--function is needed: the app at ${description.url} names no ${OUTPUT}`);
  }
  return { name, config: { ...LOCAL_CREDENTIALS, endpoint: description.endpoints['lambda'] } };
}

/** Renders the report as a table of what was settled. */
export function renderReport({ looked, settled, records, failures, isComplete }: SweepReport): string {
  const counts = Object.entries(settled).map(([what, count]) => `${count} ${what}`);
  const rest = [
    ...(failures === 0 ? [] : [`${failures} could not be looked at, see the log of the function`]),
    ...(isComplete ? [] : ['more are due: run it again, or wait for the next sweep']),
  ];
  const summary = [`looked at ${looked} due records`, counts.join(', ') || 'nothing to settle', ...rest].join('; ');
  const rows = records.map(({ kind, owner, id, action }) => [kind, owner, id, action]);
  const table = rows.length === 0 ? '' : `${renderTable(['kind', 'owner', 'id', 'action'], rows)}\n`;
  return `${table}${summary}\n`;
}
