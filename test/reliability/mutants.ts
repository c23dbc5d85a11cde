/** One defect that the tests must find. */
export interface Mutant {
  /** The defect in words. */
  readonly name: string;
  /** File of the product. */
  readonly file: string;
  /** Text that occurs in the file exactly once. */
  readonly find: string;
  readonly replace: string;
  /** Folders and files of tests; at least one of their tests must fail. */
  readonly tests: readonly string[];
}

const CHANGES = 'lambdas/shared/jobs/job-changes.ts';
const JOB_STORE = 'test/lambdas/shared/jobs/dynamodb-job-store.test.ts';
const RUN_JOBS = 'test/lambdas/run-jobs';

/** The scenario of faults. */
const SCENARIO = 'test/reliability/faults.test.ts';

/**
 * Defects of the kind that reviews found or feared: a condition that is missing, an order that is swapped, an attempt that
 * is not named, a failure that counts as success. `npm run mutants` applies each to a copy of the repository and runs its
 * tests.
 */
export const MUTANTS: readonly Mutant[] = [
  {
    name: 'a claim starts a job that is complete',
    file: CHANGES,
    find: 'const condition = `${OPEN} AND ${isNew} AND ${hasTries}`;',
    replace:
      'const condition = `#hash = :hash AND (${NOT_COMPLETE} OR attribute_exists(#status)) AND ${isNew} AND ${hasTries}`;',
    tests: [JOB_STORE],
  },
  {
    name: 'a second outcome replaces the first',
    file: CHANGES,
    find: 'condition: expected === undefined ? OPEN :',
    replace: 'condition: expected === undefined ? `#hash = :hash AND (${NOT_COMPLETE} OR attribute_exists(#status))` :',
    tests: [JOB_STORE],
  },
  {
    name: 'canceling changes a job that is complete',
    file: CHANGES,
    find: "    condition: OPEN,\n    values: {\n      ...openValues(job),\n      ...toItem({\n        ':canceled'",
    replace:
      "    condition: `#hash = :hash AND (${NOT_COMPLETE} OR attribute_exists(#status))`,\n    values: {\n      ...openValues(job),\n      ...toItem({\n        ':canceled'",
    tests: [JOB_STORE],
  },
  {
    name: 'a claim that is repeated spends another try',
    file: CHANGES,
    find: 'const condition = `${OPEN} AND ${isNew} AND ${hasTries}`;',
    replace: 'const condition = `${OPEN} AND (${isNew} OR attribute_exists(#status)) AND ${hasTries}`;',
    tests: [JOB_STORE],
  },
  {
    name: 'a job is claimed although its tries are spent',
    file: CHANGES,
    find: 'const condition = `${OPEN} AND ${isNew} AND ${hasTries}`;',
    replace: 'const condition = `${OPEN} AND ${isNew} AND (${hasTries} OR attribute_exists(#status))`;',
    tests: [JOB_STORE],
  },
  {
    name: 'the claim of another worker is released',
    file: CHANGES,
    find: 'condition: `${OPEN} AND #${CLAIM} = :claim`,',
    replace: 'condition: `${OPEN} AND (#${CLAIM} = :claim OR attribute_exists(#status))`,',
    tests: [JOB_STORE],
  },
  {
    name: 'an outage spends a try',
    file: 'lambdas/run-jobs/finish-job.ts',
    find: '    if (isOutage(error)) return await waitOrFail(work, error, run);\n',
    replace: '',
    tests: [RUN_JOBS],
  },
  {
    name: 'a transient failure is not retried',
    file: 'lambdas/run-jobs/finish-job.ts',
    find: 'isRetryable(error) && tries < deps.maxReceiveCount',
    replace: 'isRetryable(error) && tries < 1',
    tests: [RUN_JOBS],
  },
  {
    name: 'changes of a job ignore the hash',
    file: CHANGES,
    find: 'const OPEN = `#hash = :hash AND',
    replace: 'const OPEN = `(attribute_exists(#hash) OR #hash = :hash) AND',
    tests: [JOB_STORE],
  },
  {
    name: 'an open job counts as expired',
    file: CHANGES,
    find: 'const EXPIRED = `NOT ${NOT_COMPLETE} AND',
    replace: 'const EXPIRED = `(attribute_exists(#status) OR NOT ${NOT_COMPLETE}) AND',
    tests: [JOB_STORE],
  },
  {
    name: 'a new record replaces one that exists',
    file: CHANGES,
    find: 'condition: `attribute_not_exists(#hash) OR (${EXPIRED}) OR #deletedAtMs < :createdAtMs`,',
    replace:
      'condition: `attribute_not_exists(#hash) OR (${EXPIRED}) OR #deletedAtMs < :createdAtMs OR attribute_exists(#hash)`,',
    tests: [JOB_STORE],
  },
  {
    name: 'a notification of an earlier end counts for a later one',
    file: CHANGES,
    find: "condition: '#hash = :hash AND #status = :status AND #endedAtMs = :endedAtMs',",
    replace:
      "condition: '#hash = :hash AND #status = :status AND (#endedAtMs = :endedAtMs OR attribute_exists(#hash))',",
    tests: [JOB_STORE],
  },
  {
    name: 'a redrive reopens the job of another request',
    file: CHANGES,
    find: 'condition: `#hash = :hash AND #status = :failed',
    replace: 'condition: `(#hash = :hash OR attribute_exists(#hash)) AND #status = :failed',
    tests: [JOB_STORE],
  },
  {
    name: 'a redrive reopens a job whose record has expired',
    file: CHANGES,
    find: 'AND #expiresAtMs > :now AND NOT contains(',
    replace: 'AND (#expiresAtMs > :now OR attribute_exists(#status)) AND NOT contains(',
    tests: [JOB_STORE],
  },
  {
    name: 'a redrive that is received twice reopens twice',
    file: CHANGES,
    find: 'AND NOT contains(#${REDRIVES}, :redrive)`,',
    replace: 'AND (attribute_exists(#status) OR NOT contains(#${REDRIVES}, :redrive))`,',
    tests: [JOB_STORE],
  },
  {
    name: 'a message runs a job again whose record was deleted',
    file: 'lambdas/shared/jobs/dynamodb-job-store.ts',
    find: 'return this.#clock.now() < startMs + retentionMsOf(definition);',
    replace: 'return this.#clock.now() < startMs + 1000 * retentionMsOf(definition);',
    tests: [JOB_STORE],
  },
  {
    name: 'destinations are notified before the record is written',
    file: 'lambdas/shared/jobs/complete-job.ts',
    find: '  const job = await deps.jobs.finish(reference, outcome, { hasNoDestination: deps.hasNoDestination });\n',
    replace:
      "  await deps.notifier.notifyJob({ ...reference, ...outcome, destinations: {} } as never, 'webhooks');\n  const job = await deps.jobs.finish(reference, outcome, { hasNoDestination: deps.hasNoDestination });\n",
    tests: ['test/lambdas/shared/jobs', RUN_JOBS],
  },
  {
    name: 'a job with destinations is recorded as notified when it completes',
    file: 'lambdas/run-jobs/finish-job.ts',
    find: 'const hasNoDestination = !(await run.deps.notifier.hasDestinations(work.message));',
    replace: 'const hasNoDestination = await run.deps.notifier.hasDestinations(work.message);',
    tests: [RUN_JOBS],
  },
  {
    name: 'destinations are marked as notified before they are',
    file: 'lambdas/shared/jobs/complete-job.ts',
    find: '  const outcomes = await Promise.allSettled(pending.map((kind) => notifier.notifyJob(job, kind)));\n',
    replace:
      '  await jobs.markNotified(job, { kinds: pending, isComplete: true });\n  const outcomes = await Promise.allSettled(pending.map((kind) => notifier.notifyJob(job, kind)));\n',
    tests: ['test/lambdas/shared/jobs', RUN_JOBS],
  },
  {
    name: 'one destination that fails is notified again with all others',
    file: 'lambdas/shared/jobs/complete-job.ts',
    find: '.filter((kind) => job.notified?.includes(kind) !== true);',
    replace: '.filter((kind) => kind !== undefined);',
    tests: ['test/lambdas/shared/jobs', RUN_JOBS],
  },
  {
    name: 'the record of a job is written before its message is sent',
    file: 'lambdas/shared/jobs/submit-job.ts',
    find: '    await deps.queueOf(definition.model).send(message',
    replace: '    await deps.jobs.create(definition);\n    await deps.queueOf(definition.model).send(message',
    tests: ['test/lambdas/shared/jobs', 'test/lambdas/accept-jobs', 'test/lambdas/serve-jobs'],
  },
  {
    name: 'messages are deleted before their jobs run',
    file: 'lambdas/run-jobs/run-job-messages.ts',
    find: '  const completed = new Acknowledgements(run);\n',
    replace:
      '  const completed = new Acknowledgements(run);\n  await Promise.allSettled(works.map(({ record }) => run.deps.queues.jobs.remove(record.receiptHandle)));\n',
    tests: [RUN_JOBS],
  },
  {
    name: 'results of two attempts share an object',
    file: 'lambdas/run-jobs/finish-job.ts',
    find: "const attempt = randomBytes(ATTEMPT_ID_BYTES).toString('base64url');",
    replace: "const attempt = 'attempt';",
    tests: [RUN_JOBS],
  },
  {
    name: 'parts of two attempts at a chunk share an object',
    file: 'lambdas/run-jobs/run-chunk-messages.ts',
    find: "const attempt = randomBytes(ATTEMPT_ID_BYTES).toString('base64url');",
    replace: "const attempt = 'attempt';",
    tests: [RUN_JOBS],
  },
  {
    name: 'a message is acknowledged although its copy was not sent',
    file: 'lambdas/shared/queue/requeue.ts',
    find: "hasPast(received) ? pastAttribute(received) : {}, delaySeconds);\n    return 'done';\n  } catch {\n    return 'retry';",
    replace:
      "hasPast(received) ? pastAttribute(received) : {}, delaySeconds);\n    return 'done';\n  } catch {\n    return 'done';",
    tests: ['test/lambdas/shared/queue', RUN_JOBS],
  },
  {
    name: 'a chunk is counted with every delivery',
    file: 'lambdas/shared/batches/dynamodb-chunk-store.ts',
    find: '    { Put: { TableName: table, Item: chunk, ConditionExpression: `attribute_not_exists(${pk})` } },',
    replace: '    { Put: { TableName: table, Item: chunk } },',
    tests: ['test/lambdas/shared/batches'],
  },
  {
    name: 'a batch has no spare step',
    file: 'lambdas/serve-batches/create-batch.ts',
    find: '  await steps.send({ ...step, isSpare: true }',
    replace: '  void ({ ...step, isSpare: true }',
    tests: ['test/lambdas/serve-batches/batches.test.ts'],
  },
  {
    name: 'canceling changes a batch that is complete',
    file: 'lambdas/serve-batches/batches.ts',
    find: "    statusIn: ['validating', 'in_progress'],",
    replace: "    statusIn: ['validating', 'in_progress', 'completed', 'failed'],",
    tests: ['test/lambdas/serve-batches/batches.test.ts'],
  },
  {
    name: 'two steps that merge overwrite the progress of each other',
    file: 'lambdas/process-batches/merge-batch.ts',
    find: "        expect: part === 'output' ? { 'merge.output.step': state.step - 1 } : { 'merge.errors.step': state.step - 1 },\n",
    replace: '',
    tests: ['test/lambdas/process-batches'],
  },
  {
    name: 'two steps that split overwrite the progress of each other',
    file: 'lambdas/process-batches/split-batch.ts',
    find: '    expect: { splitAt: batch.splitAt, splitDone: false },\n',
    replace: '',
    tests: ['test/lambdas/process-batches'],
  },
  {
    name: 'an event that could not be accepted is acknowledged',
    file: 'lambdas/accept-jobs/handler.ts',
    find: '    return waitByVisibility(record, queue, random);',
    replace: "    return 'done';",
    tests: ['test/lambdas/accept-jobs'],
  },
  {
    name: 'lost jobs are not failed',
    file: 'lambdas/fail-lost-jobs/handler.ts',
    find: '  const before = await deps.jobs.create(definitionOf(message), redriveOf(record));\n',
    replace:
      "  if (Date.now() > 0) return 'done';\n  const before = await deps.jobs.create(definitionOf(message), redriveOf(record));\n",
    tests: ['test/lambdas/fail-lost-jobs'],
  },
  {
    name: 'a webhook is recorded as delivered before it is sent',
    file: 'lambdas/deliver-webhooks/deliver.ts',
    find: '  const tried = await tryOnce(message, QUICK_LIMIT_MS, deps);\n',
    replace:
      "  await deps.webhooks.putDelivery(owner, subject, { ...delivery, status: 'delivered' });\n  const tried = await tryOnce(message, QUICK_LIMIT_MS, deps);\n",
    tests: ['test/lambdas/deliver-webhooks'],
  },
  {
    name: 'the next attempt at a webhook is recorded before its message is sent',
    file: 'lambdas/deliver-webhooks/deliver.ts',
    find: '    await queue.send(next, { delaySeconds: delaySeconds(nextMs, nowMs) });\n',
    replace:
      "    await webhooks.putDelivery(owner, subject, withAttempt(delivery, made, { status: 'pending', nextAttemptMs: nextMs }));\n    await queue.send(next, { delaySeconds: delaySeconds(nextMs, nowMs) });\n",
    tests: ['test/lambdas/deliver-webhooks'],
  },
  {
    name: 'a chunk is counted before its parts are written',
    file: 'lambdas/run-jobs/run-chunk-messages.ts',
    find: '  const outcome = { ...(await writeParts(message, start.written(), run)), expired };\n',
    replace:
      "  await chunks.finishChunk(owner, batchId, { ...message, state: 'done', completed: start.written().output.length, failed: start.written().errors.length } as never);\n  const outcome = { ...(await writeParts(message, start.written(), run)), expired };\n",
    tests: [RUN_JOBS],
  },
  {
    name: 'changes of a list ignore its revision',
    file: 'lambdas/shared/aws/versioned-list.ts',
    find: "'attribute_not_exists(#revision) OR #revision = :revision'",
    replace: "'attribute_not_exists(#revision) OR #revision = :revision OR attribute_exists(#revision)'",
    tests: ['test/lambdas/shared/aws/versioned-list.test.ts'],
  },
  {
    name: 'a sweep settles no job',
    file: 'lambdas/sweep-records/sweep-job.ts',
    find: "  if (state.kind === 'waiting') return",
    replace: "  if (state.kind !== 'unconfirmed') return",
    tests: ['test/lambdas/sweep-records'],
  },
  {
    name: 'a sweep settles a job after one look',
    file: 'core/sweep/without-message.ts',
    find: '  const isSame = before?.progress === progress;\n',
    replace: "  if (before === undefined) return { kind: 'gone' };\n  const isSame = before?.progress === progress;\n",
    tests: ['test/core/sweep'],
  },
  {
    name: 'a sweep fails a job that a worker has started meanwhile',
    file: 'lambdas/sweep-records/sweep-job.ts',
    find: "{ status: 'failed', error: lostMessage(job) }, { seen: job });",
    replace: "{ status: 'failed', error: lostMessage(job) });",
    tests: ['test/lambdas/sweep-records'],
  },
  {
    name: 'an upload is completed twice',
    file: 'lambdas/serve-batches/complete-upload.ts',
    find: "    statusIn: ['pending'],",
    replace: "    statusIn: ['pending', 'completed'],",
    tests: ['test/lambdas/serve-batches/uploads.test.ts'],
  },
  {
    name: 'lines run together again after their worker crashed',
    file: 'core/batches/chunk-progress.ts',
    find: 'const crashed = { ...progress, isAlone: true };',
    replace: 'const crashed = { ...progress, isAlone: progress.isAlone };',
    tests: [SCENARIO],
  },
  {
    name: 'a worker starts a chunk that another one runs',
    file: 'lambdas/run-jobs/chunk-start.ts',
    find: "if (last === 'running') return false;",
    replace: '',
    tests: [`${RUN_JOBS}/lost-workers.test.ts`],
  },
  {
    name: 'nothing is noted about a job or line that never ends',
    file: 'lambdas/run-jobs/deadline-notes.ts',
    find: 'const NOTE_MS = 2000;',
    replace: 'const NOTE_MS = -60_000;',
    tests: [SCENARIO],
  },
  {
    name: 'a late message runs a job again that was deleted',
    file: 'lambdas/shared/jobs/dynamodb-job-store.ts',
    find: 'if (!mayCreate || definition.createdAtMs <= (deletionOf(item) ?? 0))',
    replace: 'if (!mayCreate)',
    tests: [SCENARIO],
  },
  {
    name: 'a repeated request without a key is another job',
    file: 'lambdas/shared/jobs/submit-repeatable.ts',
    find: 'if (present !== undefined) return',
    replace: 'if (present !== undefined && nowMs < 0) return',
    tests: [SCENARIO],
  },
  {
    name: 'an input that may not be read counts as an outage',
    file: 'lambdas/shared/jobs/s3-payload-store.ts',
    find: "throw new AppError('INPUT_FORBIDDEN', 'the object does not exist or may not be read', { cause });",
    replace: "throw new AppError('UNAVAILABLE', 'the object does not exist or may not be read', { cause });",
    tests: [SCENARIO],
  },
  {
    name: 'a file is deleted while a batch reads it',
    file: 'lambdas/shared/files/dynamodb-file-store.ts',
    find: '#readers <= :none)',
    replace: '#readers <= :none OR attribute_exists(#pk))',
    tests: [SCENARIO],
  },
];
