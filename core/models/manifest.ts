import * as v from 'valibot';
import { key, numberIn, objectOf, oneOf, parse, relativePath, text, wholeNumber } from '../parse.ts';
import type { Rows } from '../tasks/contract/task.ts';
import type { TaskDefinition, TaskKeys } from '../tasks/contract/task-definition.ts';
import { TASKS, type TaskName, taskOf } from '../tasks/tasks.ts';
import { cronProblem, isTimeZone } from './cron.ts';
import {
  DEFAULT_INSTANCE_TYPE,
  GPU_INSTANCE_TYPES,
  gpuInstanceType,
  MIN_COMPUTE_CAPABILITY,
} from './gpu-instance-types.ts';
import { isReservedModelId, MODEL_ID_PATTERN } from './model-id.ts';
import { namesOf } from './model-names.ts';

const modelId = v.pipe(
  text(MODEL_ID_PATTERN, 'letters, digits, and inner hyphens, underscores and dots, up to 63 characters'),
  v.check(
    (id) => !isReservedModelId(id),
    ({ input }) => `must be another name, because ${input} has a meaning of its own in the AWS CDK`,
  ),
);

const filePath = relativePath('the model folder');

const provisionedSchema = v.pipe(
  objectOf({
    min: key(v.optional(wholeNumber(1, 1000), 1), 'Minimum number of environments that are kept initialized.', 2),
    max: key(v.optional(wholeNumber(1, 1000), 10), 'Maximum number of environments that are kept initialized.', 20),
    utilization: key(
      v.optional(numberIn(0.1, 0.9), 0.7),
      'Target of scaling: the share of the initialized environments that are in use.',
      0.6,
    ),
  }),
  v.check(
    ({ min, max }) => min <= max,
    ({ input }) => `min must not exceed max, got min ${input.min} and max ${input.max}`,
  ),
);

/** Memory that a function may have, in MiB: less does not hold the runtime, and AWS Lambda offers no more. */
export const FUNCTION_MEMORY_MIB = { min: 512, max: 10_240 } as const;

/** The function that requests reach, for every target. */
const functionMembers = {
  memoryMiB: key(
    v.optional(wholeNumber(FUNCTION_MEMORY_MIB.min, FUNCTION_MEMORY_MIB.max), 1769),
    "Memory of the model's function. Lambda gives CPU in proportion: 1769 MiB is one core. A model runs on one thread, so more memory makes a single request no faster.",
    3008,
  ),
  architecture: key(
    v.optional(oneOf(['x86_64', 'arm64']), 'x86_64'),
    "Processor of the model's function. `arm64` costs a fifth less. Measure it with your model first. onnxruntime has supported it in AWS Lambda since version 1.30, but may log `Error in cpuinfo: failed to parse …` at a cold start, which is harmless.",
    'arm64',
  ),
  timeoutSeconds: key(
    v.optional(wholeNumber(1, 29), 29),
    'Time that a synchronous request may take; API Gateway waits no longer than 29 seconds.',
    10,
  ),
  reservedConcurrency: key(
    v.optional(wholeNumber(1, 1000)),
    "Maximum number of environments of the model's function, which other functions of the account cannot use. Without it, the function shares the account's limit.",
    50,
  ),
  provisioned: key(
    v.optional(provisionedSchema),
    'Environments that are kept initialized, so that requests do not wait for cold starts (provisioned concurrency). They cost money while idle. Without it, no environments are kept initialized.',
  ),
};

const TARGET = 'Where the model runs: `lambda`, on CPUs, or `sagemaker`, on a GPU endpoint.';

interface Concurrency {
  readonly reservedConcurrency?: number | undefined;
  readonly provisioned?: { readonly max: number } | undefined;
}

/** AWS Lambda refuses more provisioned than reserved concurrency, at the deployment or when it scales. */
function isWithinReservation({ reservedConcurrency, provisioned }: Concurrency): boolean {
  return (provisioned?.max ?? 0) <= (reservedConcurrency ?? Number.POSITIVE_INFINITY);
}

function beyondReservation({ reservedConcurrency, provisioned }: Concurrency): string {
  return `must have a max of reservedConcurrency at most, which is ${reservedConcurrency}, got ${provisioned?.max}`;
}

const lambdaComputeSchema = v.pipe(
  objectOf({
    target: key(v.optional(v.literal('lambda', 'must be lambda or sagemaker'), 'lambda'), TARGET, 'lambda'),
    ...functionMembers,
  }),
  v.forward(
    v.check(
      (compute) => isWithinReservation(compute),
      ({ input }) => beyondReservation(input),
    ),
    ['provisioned'],
  ),
);

/** A scheduled instance range. It applies until the next schedule. */
const scheduleSchema = v.pipe(
  objectOf({
    cron: key(
      v.pipe(
        text(/^\S+( \S+){5}$/, 'six fields of a cron expression of AWS, such as "0 20 ? * MON-FRI *"'),
        v.check(
          (cron) => cronProblem(cron) === undefined,
          ({ input }) => `must be a cron expression of AWS: ${cronProblem(input)}`,
        ),
      ),
      'When the range starts to apply: six fields of a cron expression of AWS.',
      '0 20 ? * MON-FRI *',
    ),
    timeZone: key(
      v.optional(
        v.pipe(
          text(/^[A-Za-z_]+(\/[A-Za-z0-9_+-]+)*$/, 'a time zone, such as Europe/Berlin'),
          v.check(
            isTimeZone,
            ({ input }) => `must be a time zone of the IANA database, as Europe/Berlin, got ${JSON.stringify(input)}`,
          ),
        ),
        'UTC',
      ),
      'Time zone of `cron`.',
      'Europe/Berlin',
    ),
    min: key(
      wholeNumber(0, 100),
      'Minimum number of instances from then on. A realtime endpoint needs one or more.',
      1,
    ),
    max: key(wholeNumber(1, 100), 'Maximum number of instances from then on.', 2),
  }),
  v.check(
    ({ min, max }) => min <= max,
    ({ input }) => `min must not exceed max, got min ${input.min} and max ${input.max}`,
  ),
);

const instancesSchema = v.pipe(
  objectOf({
    min: key(
      v.optional(wholeNumber(0, 100)),
      'Minimum number of instances of each version. Default: 1, for an async endpoint 0.',
      2,
    ),
    max: key(
      v.optional(wholeNumber(1, 100), 4),
      'Maximum number of instances of each version. The same number as `min` turns scaling off.',
      8,
    ),
    invocationsPerMinute: key(
      v.optional(wholeNumber(1, 1_000_000)),
      'Target of scaling, instead of `concurrency`: requests a minute for each instance. Realtime endpoints only.',
      600,
    ),
    concurrency: key(
      v.optional(numberIn(0.1, 1000)),
      'Target of scaling: concurrent requests for each instance. Default: 16.',
      8,
    ),
    backlog: key(
      v.optional(numberIn(0.1, 10_000)),
      'Target of scaling: waiting requests for each instance. Async endpoints only. Default: 5.',
      10,
    ),
    schedules: key(
      v.optional(v.array(scheduleSchema, 'must be a list'), []),
      'Scheduled instance ranges. Each applies until the next one.',
    ),
  }),
  v.check(
    ({ min = 0, max }) => min <= max,
    ({ input }) => `min must not exceed max, got min ${input.min} and max ${input.max}`,
  ),
  v.check(
    ({ invocationsPerMinute, concurrency }) => invocationsPerMinute === undefined || concurrency === undefined,
    () => 'must scale on invocationsPerMinute or on concurrency, got both',
  ),
);

const queueSchema = objectOf({
  delayMicroseconds: key(
    v.optional(wholeNumber(0, 1_000_000), 0),
    'Time that Triton delays a request to batch it with others while the GPU is free.',
    500,
  ),
  maxRequests: key(
    v.optional(wholeNumber(1, 100_000), 256),
    'Maximum number of waiting requests; further requests fail with `UNAVAILABLE`.',
    1000,
  ),
  timeoutMilliseconds: key(v.optional(wholeNumber(1, 60_000), 10_000), 'Maximum time that a request waits.', 5000),
});

/** The scaling setting that a kind of endpoint lacks. */
const REALTIME = { lacks: 'backlog', why: 'requests of a realtime endpoint do not queue' } as const;
const ASYNC = { lacks: 'invocationsPerMinute', why: 'an async endpoint scales by its waiting requests' } as const;

const sageMakerMembers = {
  target: key(v.literal('sagemaker', 'must be lambda or sagemaker'), TARGET, 'sagemaker'),
  ...functionMembers,
  mode: key(
    v.optional(oneOf(['realtime', 'async']), 'realtime'),
    '`realtime` serves every request. `async` serves only jobs and batches, and runs no instances while no jobs or batches wait.',
    'async',
  ),
  instanceType: key(
    v.optional(oneOf(Object.keys(GPU_INSTANCE_TYPES)), DEFAULT_INSTANCE_TYPE),
    'Instance type with GPUs. `ml.p3` types need an `image`, because the containers of AWS do not support their GPUs.',
    'ml.g6.xlarge',
  ),
  instances: key(v.optional(instancesSchema, {}), 'Number of instances of each version, and how it scales.'),
  container: key(
    v.optional(oneOf(['triton', 'tei']), 'triton'),
    'Server in the container: NVIDIA Triton or Text Embeddings Inference.',
    'tei',
  ),
  image: key(
    v.optional(
      text(
        /^\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(\.cn)?\/[a-z0-9._/-]+(:[\w.-]{1,128}|@sha256:[0-9a-f]{64})$/,
        'an image in Amazon ECR, such as 111111111111.dkr.ecr.eu-west-1.amazonaws.com/triton:1.0',
      ),
    ),
    'Your own image in Amazon ECR, of the server that `container` names. Default: the image of AWS in the region.',
    '111111111111.dkr.ecr.eu-west-1.amazonaws.com/triton:1.0',
  ),
  shift: key(
    v.optional(oneOf(['canary', 'linear']), 'canary'),
    'How an update moves the traffic to new instances: half of it first, or a quarter at a time. It needs two instances or more.',
    'linear',
  ),
  queue: key(v.optional(queueSchema, {}), 'How requests wait in the container to be batched.'),
  modelInstances: key(v.optional(wholeNumber(1, 16), 1), 'Copies of the model on each GPU. Triton only.', 2),
  tensorRt: key(
    v.optional(v.boolean('must be true or false'), false),
    'Whether TensorRT compiles the graph in half precision when the container starts, which takes minutes. Triton only.',
    true,
  ),
};

/** The schema of an endpoint, whose members may include a task's own. */
function sageMakerSchemaOf(members: ReturnType<typeof objectOf<typeof sageMakerMembers>>) {
  return v.pipe(
    members,
    v.forward(
      v.check(
        (compute) => isWithinReservation(compute),
        ({ input }) => beyondReservation(input),
      ),
      ['provisioned'],
    ),
    v.forward(
      v.check(
        ({ image, instanceType }) => image !== undefined || capabilityOf(instanceType) >= MIN_COMPUTE_CAPABILITY,
        ({ input: { instanceType } }) =>
          `must have GPUs of compute capability ${MIN_COMPUTE_CAPABILITY} or more unless image names a container for them, got ${instanceType}, which has ${capabilityOf(instanceType)}`,
      ),
      ['instanceType'],
    ),
    v.forward(
      v.check(
        ({ container, tensorRt }) => container === 'triton' || !tensorRt,
        () => 'must not be true with the container tei, which has no TensorRT',
      ),
      ['tensorRt'],
    ),
    v.forward(
      v.check(
        ({ container, modelInstances }) => container === 'triton' || modelInstances === 1,
        ({ input }) => `must be 1 with the container tei, which runs the model once, got ${input.modelInstances}`,
      ),
      ['modelInstances'],
    ),
    v.forward(
      v.check(
        ({ mode, instances }) => instances[kindOf(mode).lacks] === undefined,
        ({ input: { mode } }) => `must not hold ${kindOf(mode).lacks}, for ${kindOf(mode).why}`,
      ),
      ['instances'],
    ),
    v.forward(
      v.check(
        ({ mode, instances: { min, schedules } }) =>
          mode === 'async' || (min !== 0 && schedules.every((schedule) => schedule.min > 0)),
        () => 'must have a min of 1 or more, because only an async endpoint can run without instances',
      ),
      ['instances'],
    ),
  );
}

function capabilityOf(instanceType: string): number {
  return gpuInstanceType(instanceType)?.gpu.computeCapability ?? 0;
}

function kindOf(mode: 'realtime' | 'async'): typeof REALTIME | typeof ASYNC {
  return mode === 'async' ? ASYNC : REALTIME;
}

/** Instances of each version. An idle async endpoint runs none, unless the manifest sets a minimum. */
export function instanceBounds({ mode, instances }: SageMakerCompute): { readonly min: number; readonly max: number } {
  return { min: instances.min ?? (mode === 'async' ? 0 : 1), max: instances.max };
}

/** Largest batch that a queue hands over without waiting for more (AWS Lambda, event source mappings of Amazon SQS). */
const LARGEST_UNWAITED_BATCH = 10;

const jobsSchema = v.pipe(
  objectOf({
    batchSize: key(
      v.optional(wholeNumber(1, 1000), 10),
      'Maximum number of jobs that a worker receives in one invocation. More than 10 need `windowSeconds`.',
      50,
    ),
    windowSeconds: key(
      v.optional(wholeNumber(0, 300), 0),
      'Maximum time that Lambda waits to fill a batch of jobs.',
      1,
    ),
    maxConcurrency: key(
      v.optional(wholeNumber(2, 1000), 10),
      'Maximum number of concurrent workers, separately for jobs and for chunks of batches.',
      20,
    ),
    timeoutSeconds: key(v.optional(wholeNumber(10, 900), 60), 'Timeout of one worker invocation.', 300),
    maxReceiveCount: key(
      v.optional(wholeNumber(1, 100), 5),
      'Maximum number of times that a job is started before it fails. Attempts that meet an unavailable service do not count.',
      3,
    ),
  }),
  v.check(
    ({ batchSize, windowSeconds }) => batchSize <= LARGEST_UNWAITED_BATCH || windowSeconds > 0,
    ({ input }) =>
      `must have windowSeconds of 1 or more where batchSize exceeds ${LARGEST_UNWAITED_BATCH}, got batchSize ${input.batchSize}`,
  ),
);

const versionName = text(/^[1-9]\d{0,8}$/, 'a whole number in quotes, such as "1"');

const sha256 = text(/^[0-9a-f]{64}$/, 'the SHA-256 of the weight file, 64 lower-case hexadecimal digits');

const weightMembers = {
  weights: key(filePath, 'Path of the weight file, inside the model folder.', '1/model.onnx'),
  sha256: key(
    sha256,
    'SHA-256 of the weight file, which packing checks. If it is wrong, the message contains the right one.',
    '8cf9edfe6bb587d0b10ba6e0ebae0165b232f18f1360a626455039c4b4cfc6c5',
  ),
  externalData: key(
    v.optional(
      v.record(
        relativePath('the folder of the weights'),
        sha256,
        'must map each file that the weight file stores tensors in to its SHA-256',
      ),
    ),
    'Files beside the weight file in which it stores tensors, as PyTorch exports them: their paths and their SHA-256. Without it, [the files are used as they are](exporters.md#external-data).',
    { 'model.onnx.data': '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824' },
  ),
};

const versionSchema = objectOf({
  ...weightMembers,
  sagemaker: key(
    v.optional(objectOf(weightMembers)),
    "Other weights for the endpoint, if the model runs on one. Default: the version's own weights, converted back to 16-bit floats if they are quantized.",
  ),
});

const percent = v.pipe(
  numberIn(0, 100),
  v.check(
    (value) => Math.abs(value * 100 - Math.round(value * 100)) < 1e-9,
    ({ input }) => `must have two decimals at most, got ${input}`,
  ),
);

function sumOf(traffic: Readonly<Record<string, number>>): number {
  return Number(
    Object.values(traffic)
      .reduce((sum, share) => sum + share, 0)
      .toFixed(6),
  );
}

/** Names of the tasks, and of those that the container tei runs. */
const TASK_NAMES = Object.keys(TASKS) as TaskName[];
const TEI_TASKS = TASK_NAMES.filter((name) => taskOf({ task: name }).tei !== undefined);

const NO_KEYS: TaskKeys = { manifest: {}, limits: {}, batching: {}, sagemaker: {} };

/** The keys of several tasks. */
function unionOf(tasks: readonly TaskDefinition[]): TaskKeys {
  return tasks.reduce(
    (all, { keys }) => ({
      manifest: { ...all.manifest, ...keys.manifest },
      limits: { ...all.limits, ...keys.limits },
      batching: { ...all.batching, ...keys.batching },
      sagemaker: { ...all.sagemaker, ...keys.sagemaker },
    }),
    NO_KEYS,
  );
}

/** An object with common keys and those of a task; a key that only other tasks have is refused with advice. */
function sectionOf<E extends v.ObjectEntries>(common: E, own: v.ObjectEntries, all: v.ObjectEntries, task: string) {
  const entries: E = { ...common, ...own };
  return objectOf(entries, (key) =>
    Object.hasOwn(all, key) ? `has no effect on a model of the task ${task}: remove it` : undefined,
  );
}

/**
 * Creates the schema of a manifest.
 *
 * @param names - Tasks that `task` may name; the keys of all of them are allowed.
 */
function schemaOf(names: readonly TaskName[]) {
  const tasks = names.map((task) => taskOf({ task }));
  const [own, all] = [unionOf(tasks), unionOf(Object.values(TASKS))];
  const hasTei = tasks.some(({ tei }) => tei !== undefined);
  const name = names.join(' or ');
  const compute = v.variant(
    'target',
    [lambdaComputeSchema, sageMakerSchemaOf(sectionOf(sageMakerMembers, own.sagemaker, all.sagemaker, name))],
    'must be lambda or sagemaker',
  );
  const members = {
    id: key(modelId, 'Name of the model in URLs and requests. It must be the name of its folder.', 'my-model'),
    task: key(
      oneOf(names),
      `What the model does: ${tasks.map(({ task, summary }) => `\`${task.name}\` ${summary}`).join('; ')}.`,
      ...names,
    ),
    description: key(
      v.optional(v.pipe(v.string('must be a string'), v.maxLength(300, 'must have at most 300 characters')), ''),
      'Description of the model, which the metadata routes return.',
      'Sentence embeddings, 384 dimensions',
    ),
    aliases: key(
      v.optional(v.array(modelId, 'must be a list of names'), []),
      'Other names of the model, for tools with a name that cannot be changed. They can replace the id in every path and body. Responses contain the id.',
      ['text-embedding-3-small'],
    ),
    versions: key(
      v.pipe(
        v.record(versionName, versionSchema, 'must map version numbers to weights'),
        v.minEntries(1, 'must contain at least one version'),
      ),
      'Versions of the model by their number, a whole number in quotes. All of them are deployed. Without `traffic`, the highest number gets all requests that name no version.',
      { '1': { weights: '1/model.onnx', sha256: '8cf9edfe6bb587d0b10ba6e0ebae0165b232f18f1360a626455039c4b4cfc6c5' } },
    ),
    traffic: key(
      v.optional(v.record(versionName, percent, 'must map version numbers to percent')),
      'Percentage of the requests for each version, with at most two decimals. The sum must be 100. The split is sticky: see [versions](versions.md). Default: 100 for the highest version.',
      { '1': 90, '2': 10 },
    ),
    shadow: key(
      v.optional(
        objectOf({
          version: key(versionName, 'Version that gets copies of requests. `traffic` must not name it.', '2'),
          percent: key(
            v.pipe(percent, v.minValue(0.01, 'must be 0.01 or more')),
            'Percentage of the requests that are copied.',
            10,
          ),
        }),
      ),
      'A version that gets copies of the requests of the version with the largest share. Its responses are discarded. Realtime endpoints only.',
    ),
    compute: key(
      v.optional(compute, {}),
      'Where the model runs. The default is a Lambda function, on CPUs. See [models on GPUs](gpu.md).',
    ),
  };
  const sections = {
    batching: key(
      v.optional(
        sectionOf(
          {
            maxItems: key(v.optional(wholeNumber(1, 2048), 64), 'Maximum number of items in one run of the model.', 32),
          },
          own.batching,
          all.batching,
          name,
        ),
        {},
      ),
      'Bounds of one run of the model. A request with more items takes several runs.',
    ),
    cache: key(
      v.optional(
        objectOf({
          store: key(
            v.optional(oneOf(['none', 'memory', 'table']), 'table'),
            '`memory` keeps results in each environment, `table` also in a DynamoDB table that all environments share.',
            'memory',
          ),
          ttlSeconds: key(
            v.optional(wholeNumber(60, 31_536_000), 604_800),
            'Time after which a result in the table is computed again.',
            86_400,
          ),
          memoryMiB: key(v.optional(wholeNumber(1, 1024), 32), 'Memory for results in each environment.', 64),
        }),
        {},
      ),
      'How results are cached: see [caching](caching.md).',
    ),
    jobs: key(v.optional(jobsSchema, {}), 'How jobs of the model run: [jobs](jobs.md) and [batches](batches.md).'),
    limits: key(
      v.optional(
        sectionOf(
          { maxItems: key(v.optional(wholeNumber(1, 2048), 64), 'Maximum number of items in one request.', 32) },
          own.limits,
          all.limits,
          name,
        ),
        {},
      ),
      'Limits of one request.',
    ),
  };
  // The task's keys stand between the others, as in a manifest.
  const common: typeof members & typeof sections = { ...members, ...own.manifest, ...sections };
  return v.pipe(
    sectionOf(common, {}, all.manifest, name),
    v.forward(
      v.check(
        (manifest) => new Set(namesOf(manifest)).size === namesOf(manifest).length,
        ({ input }) => `must contain each name once, and not the id, got ${input.aliases.join(', ')}`,
      ),
      ['aliases'],
    ),
    v.forward(
      v.check(
        ({ traffic }) => traffic === undefined || sumOf(traffic) === 100,
        ({ input }) => `must sum to 100 percent, got ${sumOf(input.traffic ?? {})}`,
      ),
      ['traffic'],
    ),
    v.forward(
      v.check(
        ({ compute }) => hasTei || compute.target === 'lambda' || compute.container !== 'tei',
        () => `must not have the container tei unless task is ${TEI_TASKS.join(' or ')}`,
      ),
      ['compute'],
    ),
    v.forward(
      v.check(
        ({ traffic, versions }) => Object.keys(traffic ?? {}).every((name) => Object.hasOwn(versions, name)),
        ({ input }) =>
          `must name versions that are listed under versions, which are ${Object.keys(input.versions).join(', ')}; got ${Object.keys(input.traffic ?? {}).join(', ')}`,
      ),
      ['traffic'],
    ),
    v.forward(
      v.check(
        ({ traffic, shadow }) => shadow === undefined || !Object.hasOwn(traffic ?? {}, shadow.version),
        ({ input }) =>
          `must not name version ${input.shadow?.version}, which is the shadow: its responses are discarded`,
      ),
      ['traffic'],
    ),
    v.forward(
      v.check(
        ({ shadow, versions }) =>
          shadow === undefined || (Object.hasOwn(versions, shadow.version) && Object.keys(versions).length > 1),
        ({ input }) =>
          `must name one of two versions or more, got version ${input.shadow?.version}; listed are ${Object.keys(input.versions).join(', ')}`,
      ),
      ['shadow'],
    ),
    v.forward(
      v.check(
        ({ shadow, compute }) =>
          shadow === undefined || (compute.target === 'sagemaker' && compute.mode === 'realtime'),
        () => 'must be absent unless compute has target sagemaker and mode realtime',
      ),
      ['shadow'],
    ),
  );
}

/** Schema of the manifests of every task, with the keys of all tasks, for completion in editors. */
export const anyManifestSchema = schemaOf(TASK_NAMES);

const SCHEMAS = new Map<unknown, typeof anyManifestSchema>(TASK_NAMES.map((name) => [name, schemaOf([name])]));

/** Returns the schema of the manifests of a task; of every task if none has the name. */
export function manifestSchemaOf(task: unknown): typeof anyManifestSchema {
  return SCHEMAS.get(task) ?? anyManifestSchema;
}

/**
 * Schema of `models/<id>/model.yaml`, which depends on its task. Inputs, outputs, shapes and datatypes are read from
 * the ONNX file.
 */
export const manifestSchema = v.lazy((value) => {
  const task = typeof value === 'object' && value !== null && 'task' in value ? value.task : undefined;
  return manifestSchemaOf(task);
});

/**
 * A model manifest with every default filled in. Keys of a task are seen by the task alone, except those that packing
 * reads.
 */
export type Manifest = v.InferOutput<typeof anyManifestSchema> & {
  readonly tokenizer?: string;
  readonly rows?: Rows | undefined;
  readonly limits: { readonly maxTokens?: number; readonly maxRequestTokens?: number };
};

/** The target of a model. The function's members apply to both targets, because requests reach a function first. */
export type Compute = Manifest['compute'];

/** Where a model runs when it runs on AWS Lambda. */
export type LambdaCompute = v.InferOutput<typeof lambdaComputeSchema>;

/** Where a model runs when it runs on an endpoint of Amazon SageMaker, with a function in front. */
export type SageMakerCompute = Extract<Compute, { readonly target: 'sagemaker' }>;

/**
 * Reads a parsed `model.yaml`.
 *
 * @param value - The value from the YAML parser.
 * @param source - Path of the file, for the message.
 * @throws AppError `MANIFEST_INVALID` that lists all problems.
 */
export function parseManifest(value: unknown, source: string): Manifest {
  return parse(manifestSchema, value, source, 'MANIFEST_INVALID');
}
