import type { PatientCaller } from './client.ts';
import type { PlannedBatch } from './work.ts';

interface FileLine {
  readonly custom_id: string | null;
  readonly response: { readonly body: { readonly data?: readonly { readonly embedding: string }[] } } | null;
}

interface BatchFacts {
  readonly status: string;
  readonly request_counts: { readonly total: number; readonly completed: number; readonly failed: number };
  readonly output_file_id?: string | null;
  readonly error_file_id?: string | null;
}

/**
 * Checks a completed batch: each line is in exactly one of its files, in order, with its own result, and the counts are
 * those of the files.
 *
 * @param expected - Expected vectors by text.
 * @returns Everything that is wrong.
 */
export async function checkBatch(
  batch: PlannedBatch,
  id: string,
  caller: PatientCaller,
  expected: ReadonlyMap<string, string>,
): Promise<string[]> {
  const { status: answered, json } = await caller.call('GET', `/v1/batches/${id}`);
  if (batch.isDeleted) return answered === 404 ? [] : [`was deleted and is ${json['status']} again`];
  if (answered !== 200) return [`is answered ${answered}`];
  const facts = json as object as BatchFacts;
  const allowed = batch.isCanceled ? ['completed', 'cancelled'] : ['completed'];
  if (!allowed.includes(facts.status)) return [`is ${facts.status}: ${JSON.stringify(json['errors'] ?? '')}`];
  // A batch that was canceled before it was split has no lines.
  if (batch.isCanceled && facts.request_counts.total === 0) return [];
  const output = await readFile(facts.output_file_id, caller);
  const errors = await readFile(facts.error_file_id, caller);
  return [
    ...checkCounts(batch, facts, { output, errors }),
    ...checkOutput(batch, output, expected),
    ...checkPartition(batch, { output, errors }),
  ];
}

interface Files {
  readonly output: readonly FileLine[];
  readonly errors: readonly FileLine[];
}

function checkCounts(
  { lines, isCanceled }: PlannedBatch,
  { request_counts: counts }: BatchFacts,
  files: Files,
): string[] {
  const { total, completed, failed } = counts;
  const broken = lines.filter((line) => typeof line !== 'string').length;
  const isRight = total === lines.length && completed === files.output.length && failed === files.errors.length;
  const hasFailed = isCanceled ? failed >= broken : failed === broken;
  return isRight && hasFailed && completed + failed === total
    ? []
    : [`counts ${JSON.stringify(counts)}, its files hold ${files.output.length} and ${files.errors.length} lines`];
}

/** The lines of the output file are in the order of the input, each with the vector of its text. */
function checkOutput(
  { lines }: PlannedBatch,
  output: readonly FileLine[],
  expected: ReadonlyMap<string, string>,
): string[] {
  const indices = output.map(({ custom_id: id }) => Number(id?.replace('line-', '')));
  const isOrdered = indices.every((index, at) => at === 0 || (indices[at - 1] ?? 0) < index);
  const wrong = output.filter(({ response }, at) => {
    const text = lines[indices[at] ?? -1];
    return typeof text !== 'string' || response?.body.data?.[0]?.embedding !== expected.get(text);
  });
  return [
    ...(isOrdered ? [] : ['has an output file out of order']),
    ...(wrong.length === 0 ? [] : [`has ${wrong.length} wrong lines in its output file`]),
  ];
}

/** Each line that has an id is in exactly one file. */
function checkPartition({ lines }: PlannedBatch, { output, errors }: Files): string[] {
  const found = [...output, ...errors].flatMap(({ custom_id: id }) => (id === null || id === 'broken' ? [] : [id]));
  const planned = lines.flatMap((line, index) => (typeof line === 'string' ? [`line-${index}`] : []));
  const distinct = new Set(found);
  const missing = planned.filter((id) => !distinct.has(id));
  return [
    ...(missing.length === 0 ? [] : [`has ${missing.length} lines in neither file: ${missing.slice(0, 3).join(', ')}`]),
    ...(distinct.size === found.length ? [] : [`has ${found.length - distinct.size} lines twice`]),
  ];
}

async function readFile(fileId: string | null | undefined, caller: PatientCaller): Promise<FileLine[]> {
  if (typeof fileId !== 'string') return [];
  const text = await caller.content(fileId);
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as FileLine);
}
