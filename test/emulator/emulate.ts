/**
 * Deploys the app of this repository with the CDK command to an emulator of AWS that other people wrote, and checks
 * requests, jobs, batches, changes, a rollback and the removal there. It prints a table of verdicts.
 *
 * Usage: npm run emulate [-- --from CHECKOUT]
 * With --from, it first deploys the app of another checkout of the repository, whose functions are built, and upgrades it.
 *
 * It installs the emulator from PyPI into a virtual environment. Without Python it prints a line and does nothing. The
 * emulator listens on the loopback interface only, and nothing here can reach AWS.
 */
import { deepStrictEqual as equal, ok } from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Project, ROOT } from '../app/project.ts';
import { withPython } from '../python/environment.ts';
import { Account } from './account.ts';
import { CdkCommand } from './cdk-command.ts';
import { DeployedApi, MULTIPLICATION, productOf } from './deployed-api.ts';
import { type Emulator, startEmulator } from './emulator.ts';
import { checkJobs, JOB, resultOfJob } from './job-checks.ts';
import { CORRECTED_FAULTS, KNOWN_DIFFERENCES } from './known-differences.ts';
import { checkProducers, Queues } from './producer-checks.ts';
import { Report } from './report.ts';
import { checkRequests } from './request-checks.ts';

interface Embeddings {
  readonly data: unknown;
}

const { from } = parseArgs({ options: { from: { type: 'string' } } }).values;

/** Runs every check; returns the exit code. */
async function emulate(python: string): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'tensorgate-emulator-'));
  try {
    const emulator = await startEmulator(python, join(folder, 'emulator'));
    try {
      const report = new Report(KNOWN_DIFFERENCES, CORRECTED_FAULTS);
      await checkDeployment(emulator, await Project.create(join(folder, 'app')), report);
      report.close();
      if (report.failures > 0) console.log(`\n${(await readFile(emulator.logFile, 'utf8')).slice(-5000)}`);
      return report.failures === 0 ? 0 : 1;
    } finally {
      await emulator.stop();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const EARLIER_JOB = 'earlier-1';

/** Deploys the app of an earlier checkout and submits a job to it. */
async function deployEarlier(
  checkout: string,
  project: Project,
  report: Report,
  deploy: () => Promise<{ readonly api: DeployedApi }>,
): Promise<DeployedApi | undefined> {
  await project.useCheckout(checkout);
  return report.check('cdk deploy --all creates the app of the earlier checkout', async () => {
    const { api } = await deploy();
    await api.call('PUT', `/v1/jobs/${EARLIER_JOB}`, { body: JOB });
    ok(await resultOfJob(api, EARLIER_JOB));
    await project.useCheckout(ROOT);
    return api;
  });
}

/** Multiplies as `DeployedApi.multiply` does, by a job. */
async function multiplyByJob(api: DeployedApi, id: string): Promise<unknown> {
  const body = { endpoint: '/v2/models/times/infer', body: MULTIPLICATION };
  await api.call('PUT', `/v1/jobs/${id}`, { body });
  return productOf(await resultOfJob(api, id));
}

/** Deploys, calls, changes and removes the app. */
async function checkDeployment(emulator: Emulator, project: Project, report: Report): Promise<void> {
  const account = new Account(emulator);
  const cdk = new CdkCommand(project.folder, emulator);
  const deploy = async () => {
    const outputs = await cdk.deploy();
    return {
      api: await DeployedApi.find(outputs['TensorgateApi-dev'] ?? {}, emulator, account),
      queues: new Queues(outputs['TensorgateJobs-dev'] ?? {}, emulator),
    };
  };
  await project.writeMultiplier('times', 2);
  await report.check('cdk bootstrap prepares the account', async () => {
    await cdk.run('bootstrap');
  });
  await report.check('cdk synth --strict finds nothing to warn about', async () => {
    await cdk.run('synth', '--quiet', '--strict');
  });
  const earlier = from === undefined ? undefined : await deployEarlier(resolve(from), project, report, deploy);
  const deployment = await report.check('cdk deploy --all creates the app, or upgrades it', deploy);
  if (deployment === undefined) return;
  const { api, queues } = deployment;
  if (earlier !== undefined) {
    await report.check('an upgrade keeps the address, the keys and the jobs of the app', async () => {
      equal([api.url, api.key], [earlier.url, earlier.key]);
      ok(await resultOfJob(api, EARLIER_JOB));
    });
  }
  await report.check('cdk diff finds no difference after a deployment', async () => {
    // The stack of endpoints is empty, so it was not deployed.
    await cdk.run('diff', '--fail', 'TensorgateData-dev', 'TensorgateJobs-dev', 'TensorgateApi-dev');
  });
  await checkRequests(api, report);
  await checkJobs(api, report);
  await checkProducers(queues, report);

  await project.writeMultiplier('times', 3);
  await project.copyEmbeddingModel('minilm-copy');
  await report.check('cdk deploy --all adds a model and replaces the weights of another', deploy);
  await report.check('the replaced weights compute', async () => equal(await api.multiply('times'), 9));
  await report.check('a request on the shared route is forwarded to the function of the added model', async () => {
    const texts = { input: 'The parcel arrived this morning.', encoding_format: 'float' };
    const original = await api.call('POST', '/v1/embeddings', { body: { model: 'minilm', ...texts } });
    const added = await api.call('POST', '/v1/embeddings', { body: { model: 'minilm-copy', ...texts } });
    equal([original.status, added.status], [200, 200]);
    equal((added.json as Embeddings).data, (original.json as Embeddings).data);
  });

  const undo = await report.check('a rollback of the aliases moves requests to the earlier weights', async () => {
    const rolledBack = await account.rollBack();
    equal(await api.multiply('times'), 6);
    return rolledBack;
  });
  await report.check('a rollback of the aliases moves jobs to the earlier weights', async () =>
    equal(await multiplyByJob(api, 'rolled-back'), 6),
  );
  await report.check('the aliases move forward again', async () => {
    await undo?.();
    equal([await api.multiply('times'), await multiplyByJob(api, 'undone')], [9, 9]);
  });

  await project.removeModel('minilm-copy');
  await report.check('cdk deploy --all removes a model', deploy);
  await report.check('the removed model is not found, and the others respond', async () => {
    const body = { model: 'minilm-copy', input: 'one' };
    equal((await api.call('POST', '/v1/embeddings', { body })).status, 404);
    equal(await api.multiply('times'), 9);
  });

  const keptWarm = ['compute: { target: lambda, provisioned: { min: 1, max: 2 } }'];
  await project.writeMultiplier('times', 3, keptWarm);
  await report.check('cdk deploy --all keeps environments of a model initialized, and scales them', deploy);
  await project.writeMultiplier('times', 3, ['compute: { target: sagemaker }']);
  await report.check('cdk deploy --all moves a model to a GPU', deploy);
  await project.writeMultiplier('times', 3);
  await report.check(
    'the API responds as before after deployments that failed, and the next one succeeds',
    async () => {
      equal(await api.multiply('times'), 9);
      await deploy();
      equal(await api.multiply('times'), 9);
    },
  );

  await project.edit('config/dev.yaml', /^jobs:$/m, 'jobs:\n  enabled: false');
  await report.check('cdk deploy --all switches jobs off, and nothing of them is left', async () => {
    await deploy();
    equal(await api.multiply('times'), 9);
    const kinds = (await account.resources()).map((resource) => resource.split(' ')[0]);
    equal([kinds.includes('queue'), kinds.includes('bucket')], [false, false]);
  });
  await project.edit('config/dev.yaml', /^ {2}enabled: false$/m, '');
  await report.check('cdk deploy --all switches jobs on again', async () => {
    await deploy();
    const { json } = await api.call('PUT', '/v1/jobs/parcel-2', { body: JOB });
    equal((json as { status: string }).status, 'queued');
    ok(await resultOfJob(api, 'parcel-2'));
  });

  const before = await account.resources();
  await report.check('cdk destroy --all removes the app', async () => {
    await cdk.run('destroy', '--all', '--force');
  });
  await report.check('nothing is left that holds data or costs money', async () => {
    ok(before.length > 30);
    equal(await account.resources(), []);
  });
}

// The emulator stops when this process exits.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
process.exitCode = (await withPython(join(import.meta.dirname, 'requirements.txt'), emulate)) ?? 0;
