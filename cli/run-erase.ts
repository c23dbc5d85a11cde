import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { S3Client } from '@aws-sdk/client-s3';
import { AppError } from '../core/errors.ts';
import { MESSAGE_DAYS } from '../core/retention/retention.ts';
import { TOMBSTONE_DAYS } from '../core/retention/tombstone.ts';
import { type Erasure, eraseTenant, type TenantStores } from './erase-tenant.ts';
import { findInstance, LOCAL_CREDENTIALS } from './local-instance.ts';
import { formatBytes, renderFacts, renderTable } from './table.ts';

/** Options of the command as typed. */
export interface EraseCommandOptions {
  readonly jobsTable?: string;
  readonly webhooksTable?: string;
  readonly resultsTable?: string;
  readonly payloadBucket?: string;
  /** Port of the API in local mode. */
  readonly port?: number;
  readonly dryRun: boolean;
  readonly json?: boolean;
}

/** Data that the command cannot reach, and how long it is kept. */
export interface Remaining {
  readonly what: string;
  readonly kept: string;
}

/** The report of the command. */
export interface EraseReport extends Erasure {
  readonly tenant: string;
  readonly dryRun: boolean;
  readonly remaining: readonly Remaining[];
}

/** Syntax of the owner in a record: the id of a tenant or of an API key. */
const TENANT = /^[A-Za-z0-9_-]{1,64}$/;

/** The services and stores of a deployment. */
interface Place {
  readonly stores: TenantStores;
  /** Settings of the clients; those of the environment if empty. */
  readonly config: object;
}

/**
 * Runs `tensorgate tenant erase`.
 *
 * @throws AppError `INVALID_PARAMETER` when an option is missing, `UNAVAILABLE` when a service does not respond.
 */
export async function runErase(tenant: string, options: EraseCommandOptions): Promise<EraseReport> {
  if (!TENANT.test(tenant)) {
    throw new AppError('INVALID_PARAMETER', 'the tenant must be 1 to 64 letters, digits, - and _');
  }
  const { stores, config } = await placeOf(options);
  const dynamoDb = new DynamoDBClient(config);
  const s3 = new S3Client(config);
  try {
    const settings = { stores, tenant, dryRun: options.dryRun, nowMs: Date.now() };
    const erasure = await eraseTenant({ dynamoDb, s3 }, settings);
    return { tenant, dryRun: options.dryRun, ...erasure, remaining: remainingOf(erasure) };
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    const { name, message } = cause instanceof Error ? cause : new Error(String(cause));
    throw new AppError('UNAVAILABLE', `the data of the tenant cannot be erased: ${name}: ${message}`, { cause });
  } finally {
    dynamoDb.destroy();
    s3.destroy();
  }
}

/** A deployment on AWS is named by its stores, because a store that is left out would keep data of the tenant. */
async function placeOf({ port, ...options }: EraseCommandOptions): Promise<Place> {
  const { jobsTable: jobs, webhooksTable: webhooks, resultsTable: results, payloadBucket: payloads } = options;
  const named = { jobs, webhooks, results, payloads };
  if (Object.values(named).some((name) => name !== undefined)) return { stores: complete(named), config: {} };
  const { description } = await findInstance(
    port,
    'name the stores with --jobs-table, --webhooks-table, --results-table and --payload-bucket',
  );
  const { stores, endpoints } = description;
  return { stores: complete(stores), config: { ...LOCAL_CREDENTIALS, endpoint: endpoints['dynamodb'] } };
}

/** Options by the store that they name. */
const OPTIONS = {
  jobs: '--jobs-table',
  webhooks: '--webhooks-table',
  results: '--results-table',
  payloads: '--payload-bucket',
} as const satisfies Record<keyof TenantStores, string>;

function complete(named: { readonly [K in keyof TenantStores]?: string | undefined }): TenantStores {
  const { jobs, webhooks, results, payloads } = named;
  if (jobs !== undefined && webhooks !== undefined && results !== undefined && payloads !== undefined) {
    return { jobs, webhooks, results, payloads };
  }
  const missing = Object.entries(OPTIONS).flatMap(([store, option]) =>
    named[store as keyof TenantStores] === undefined ? [option] : [],
  );
  throw new AppError(
    'INVALID_PARAMETER',
    `${missing.join(', ')} must be given: cdk deploy prints the names as outputs of the data stack`,
  );
}

function remainingOf({ tombstones }: Erasure): Remaining[] {
  return [
    { what: `${tombstones} tombstones: id and time of deletion`, kept: `${TOMBSTONE_DAYS} days` },
    { what: 'messages in queues, with inputs of jobs; workers drop them', kept: `${MESSAGE_DAYS} days` },
    { what: 'dead letters (jobs.deadLetterRetentionDays)', kept: `up to ${MESSAGE_DAYS} days` },
    { what: 'cached results that tenants share (cache.scope)', kept: 'cache.ttlSeconds' },
    { what: 'requests and responses of asynchronous endpoints', kept: '3 days' },
    { what: 'log lines, which hold ids and no inputs', kept: 'logRetentionDays' },
    { what: 'point-in-time backups of the tables of jobs and webhooks', kept: '35 days' },
  ];
}

/** Renders the report as text. */
export function renderErasure({ dryRun, erased, remaining }: EraseReport): string {
  const rows = erased.map(({ store, kind, count, bytes }) => [
    store,
    kind,
    String(count),
    bytes === undefined ? '' : formatBytes(bytes),
  ]);
  const counted =
    rows.length === 0
      ? `${dryRun ? 'found' : 'erased'} nothing\n`
      : `${renderTable(['store', 'kind', dryRun ? 'found' : 'erased', 'size'], rows, [2, 3])}\n`;
  if (dryRun) return counted;
  const facts = remaining.map(({ what, kept }) => [kept, what] as const);
  return `${counted}\nWhat remains, and for how long:\n${renderFacts(facts)}\n`;
}
