import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { parseManifest } from '../../../core/models/manifest.ts';
import { MODEL_ID_PATTERN } from '../../../core/models/model-id.ts';

const VERSION = { weights: '1/model.onnx', sha256: 'a'.repeat(64) };
const MINIMAL = { id: 'minilm', task: 'embedding', versions: { '1': VERSION } };

/** The lines of the error, without the headline. */
function problemsOf(value: unknown): string[] {
  try {
    parseManifest(value, 'models/minilm/model.yaml');
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    const [headline, ...lines] = message.split('\n');
    return [`${code} ${headline}`, ...lines.map((line) => line.trim())].slice(1);
  }
  return [];
}

/** A second version in the shadow of the first. */
const SHADOWED = {
  ...MINIMAL,
  versions: { '1': VERSION, '2': VERSION },
  compute: { target: 'sagemaker' },
  shadow: { version: '2', percent: 10 },
};

/** A model on an endpoint with one schedule. */
function scheduled(schedule: object) {
  const schedules = [{ cron: '0 8 ? * * *', min: 1, max: 2, ...schedule }];
  return { ...MINIMAL, compute: { target: 'sagemaker', instances: { schedules } } };
}

describe('parseManifest', () => {
  it('fills in every default', () => {
    expect(parseManifest(MINIMAL, 'model.yaml')).toEqual({
      ...MINIMAL,
      aliases: [],
      description: '',
      compute: { target: 'lambda', memoryMiB: 1769, architecture: 'x86_64', timeoutSeconds: 29 },
      tokenizer: 'tokenizer.json',
      embedding: { pooling: 'mean', normalize: true, acceptTokenIds: false },
      batching: { maxTokens: 256, maxItems: 64 },
      cache: { store: 'table', ttlSeconds: 604_800, memoryMiB: 32 },
      jobs: { batchSize: 10, windowSeconds: 0, maxConcurrency: 10, timeoutSeconds: 60, maxReceiveCount: 5 },
      limits: { maxItems: 2048, maxRequestTokens: 300_000, maxTokens: 512, overflow: 'error' },
    });
  });

  it('keeps given values', () => {
    const full = {
      ...MINIMAL,
      aliases: ['text-embedding-3-small'],
      description: 'Sentence embeddings',
      traffic: { '1': 100 },
      compute: {
        target: 'lambda',
        memoryMiB: 3008,
        architecture: 'arm64',
        timeoutSeconds: 10,
        reservedConcurrency: 5,
        provisioned: { min: 1, max: 2, utilization: 0.5 },
      },
      tokenizer: 'words/tokenizer.json',
      embedding: { pooling: 'cls', normalize: false, matryoshkaDimensions: [64, 128], acceptTokenIds: true },
      batching: { maxTokens: 128, maxItems: 8 },
      cache: { store: 'memory', ttlSeconds: 60, memoryMiB: 8 },
      jobs: { batchSize: 100, windowSeconds: 5, maxConcurrency: 2, timeoutSeconds: 900, maxReceiveCount: 3 },
      limits: { maxItems: 8, maxRequestTokens: 1000, maxTokens: 128, overflow: 'truncate' },
    };
    expect(parseManifest(full, 'model.yaml')).toEqual(full);
  });

  it('fails with MANIFEST_INVALID when anything is wrong, and names the file and every problem', () => {
    const wrong = {
      id: 'Mini LM',
      task: 'ocr',
      colour: 'red',
      versions: { v1: { weights: '/etc/model.onnx', sha256: 'x', size: 1 } },
      compute: { target: 'gpu', memoryMiB: 0.5, provisioned: { min: 5, max: 2 } },
      limits: { maxItems: '8' },
      cache: null,
    };
    expect(() => parseManifest(wrong, 'models/minilm/model.yaml')).toThrow(
      expect.objectContaining({
        code: 'MANIFEST_INVALID',
        message: `models/minilm/model.yaml has 10 problems:
  id: must be letters, digits, and inner hyphens, underscores and dots, up to 63 characters, got "Mini LM"
  task: must be one of embedding, tensor, got "ocr"
  versions.v1: must be a whole number in quotes, such as "1", got "v1"
  versions.v1.weights: must be a relative path inside the model folder, got "/etc/model.onnx"
  versions.v1.sha256: must be the SHA-256 of the weight file, 64 lower-case hexadecimal digits, got "x"
  versions.v1.size: is not a known key, known are weights, sha256, externalData, sagemaker
  compute.target: must be lambda or sagemaker, got "gpu"
  cache: must be a map with the keys store, ttlSeconds, memoryMiB, got null
  limits.maxItems: must be a whole number from 1 to 2048, got "8"
  colour: is not a known key, known are id, task, description, aliases, versions, traffic, shadow, compute, tokenizer, embedding, rows, batching, cache, jobs, limits`,
      }),
    );
  });

  it.each<[string, unknown, string]>([
    ['nothing', undefined, '(root): must be a map with the keys id, task,'],
    ['a list', [], 'id: is missing'],
    ['no versions', { ...MINIMAL, versions: {} }, 'versions: must contain at least one version'],
    ['missing keys', { id: 'a', versions: MINIMAL.versions }, 'task: is missing, it must be one of embedding, tensor'],
    [
      'a missing map',
      { ...MINIMAL, versions: { '1': {} } },
      'versions.1.weights: is missing, it must be a relative path',
    ],
    ['a list for a text', { ...MINIMAL, description: ['a'] }, 'description: must be a string, got a list'],
    [
      'a map for a text',
      { ...MINIMAL, tokenizer: {} },
      'tokenizer: must be a relative path inside the model folder, got a map',
    ],
    [
      'more provisioned than reserved concurrency',
      { ...MINIMAL, compute: { target: 'lambda', reservedConcurrency: 2, provisioned: { min: 5, max: 6 } } },
      'compute.provisioned: must have a max of reservedConcurrency at most, which is 2, got 6',
    ],
    [
      'provisioned concurrency that exceeds the reservation when it scales',
      { ...MINIMAL, compute: { target: 'lambda', reservedConcurrency: 5, provisioned: { min: 5, max: 6 } } },
      'compute.provisioned: must have a max of reservedConcurrency at most, which is 5, got 6',
    ],
    [
      'more provisioned than reserved concurrency in front of an endpoint',
      { ...MINIMAL, compute: { target: 'sagemaker', reservedConcurrency: 1, provisioned: { min: 1, max: 2 } } },
      'compute.provisioned: must have a max of reservedConcurrency at most, which is 1, got 2',
    ],
    [
      'a cron expression that AWS refuses',
      scheduled({ cron: '0 25 ? * * *' }),
      'compute.instances.schedules.0.cron: must be a cron expression of AWS: the hours must be from 0 to 23, got 25',
    ],
    [
      'a time zone that does not exist',
      scheduled({ timeZone: 'Europe/Atlantis' }),
      'compute.instances.schedules.0.timeZone: must be a time zone of the IANA database, as Europe/Berlin, got "Europe/Atlantis"',
    ],
    ['a path that climbs', { ...MINIMAL, tokenizer: 'a/../../b' }, 'tokenizer: must be a relative path'],
    [
      'a very long text',
      { ...MINIMAL, description: 'x'.repeat(301) },
      `description: must have at most 300 characters, got "${'x'.repeat(80)}…"`,
    ],
    ['traffic that lacks', { ...MINIMAL, traffic: { '1': 99.5 } }, 'traffic: must sum to 100 percent, got 99.5'],
    [
      'traffic to nowhere',
      { ...MINIMAL, traffic: { '1': 50, '2': 50 } },
      'traffic: must name versions that are listed under versions, which are 1; got 1, 2',
    ],
    [
      'three decimals',
      { ...MINIMAL, traffic: { '1': 99.999 } },
      'traffic.1: must have two decimals at most, got 99.999',
    ],
    [
      'a shadow that is not there',
      { ...MINIMAL, shadow: { version: '2', percent: 10 } },
      'shadow: must name one of two versions or more, got version 2; listed are 1',
    ],
    [
      'a shadow of none',
      { ...MINIMAL, shadow: { version: '1', percent: 10 } },
      'shadow: must name one of two versions or more, got version 1; listed are 1',
    ],
    [
      'a shadow in functions',
      { ...MINIMAL, versions: { '1': VERSION, '2': VERSION }, shadow: { version: '2', percent: 10 } },
      'shadow: must be absent unless compute has target sagemaker and mode realtime',
    ],
    [
      'a shadow that answers',
      { ...SHADOWED, traffic: { '1': 90, '2': 10 } },
      'traffic: must not name version 2, which is the shadow: its responses are discarded',
    ],
    [
      'a shadow that gets nothing',
      { ...SHADOWED, shadow: { version: '2', percent: 0 } },
      'shadow.percent: must be 0.01 or more',
    ],
    [
      'text embeddings of tensors',
      { ...MINIMAL, task: 'tensor', compute: { target: 'sagemaker', container: 'tei' } },
      'compute: must not have the container tei unless task is embedding',
    ],
    ...[
      { tokenizer: 'tokenizer.json' },
      { embedding: {} },
      { limits: { maxTokens: 8 } },
      { batching: { maxTokens: 8 } },
      { compute: { target: 'sagemaker', maxBatchTokens: 8 } },
    ].map((keys): [string, unknown, string] => [
      `a key without effect: ${JSON.stringify(keys)}`,
      { ...MINIMAL, task: 'tensor', ...keys },
      'has no effect on a model of the task tensor: remove it',
    ]),
    [
      'rows of texts',
      { ...MINIMAL, rows: 'together' },
      'rows: has no effect on a model of the task embedding: remove it',
    ],
    [
      'rows of another kind',
      { ...MINIMAL, task: 'tensor', rows: 'batch' },
      'rows: must be one of independent, together, got "batch"',
    ],
    [
      'a version in letters',
      { ...MINIMAL, versions: { '01': VERSION } },
      'versions.01: must be a whole number in quotes, such as "1", got "01"',
    ],
    [
      'a batch that no queue fills in one receive',
      { ...MINIMAL, jobs: { batchSize: 11 } },
      'jobs: must have windowSeconds of 1 or more where batchSize exceeds 10, got batchSize 11',
    ],
    [
      'one worker',
      { ...MINIMAL, jobs: { maxConcurrency: 1 } },
      'jobs.maxConcurrency: must be a whole number from 2 to 1000',
    ],
    [
      'an endless job',
      { ...MINIMAL, jobs: { timeoutSeconds: 901 } },
      'jobs.timeoutSeconds: must be a whole number from 10 to',
    ],
  ])('fails with MANIFEST_INVALID when there is %s', (_, value, problem) => {
    expect(problemsOf(value)).toContainEqual(expect.stringContaining(problem));
  });

  it.each([
    ['its own id', ['minilm']],
    ['a name twice', ['a', 'a']],
  ])('fails if the aliases contain %s', (_, aliases) => {
    expect(problemsOf({ ...MINIMAL, aliases })).toEqual([
      `aliases: must contain each name once, and not the id, got ${aliases.join(', ')}`,
    ]);
  });

  it.each(['logreg_iris', 'ch_PP-OCRv4', 'v2.0_cls', 'A', 'a--b'])('accepts the id %s', (id) => {
    expect(problemsOf({ ...MINIMAL, id })).toEqual([]);
  });

  it.each(['_a', 'a_', '.a', 'a/b', 'a:b', 'a b', 'é', 'x'.repeat(64), 'constructor', 'toString', 'Default', 'GET'])(
    'refuses the id %s',
    (id) => {
      expect(problemsOf({ ...MINIMAL, id })).toEqual([expect.stringMatching(/^id: must /)]);
    },
  );

  it('runs a model on Lambda if its compute names no target', () => {
    expect(parseManifest({ ...MINIMAL, compute: { memoryMiB: 3008 } }, 'model.yaml').compute).toMatchObject({
      target: 'lambda',
      memoryMiB: 3008,
    });
  });

  it('accepts shares with decimals that sum to 100', () => {
    const versions = { '1': VERSION, '2': VERSION, '3': VERSION };
    const traffic = { '1': 33.33, '2': 33.33, '3': 33.34 };
    expect(parseManifest({ ...MINIMAL, versions, traffic }, 'model.yaml').traffic).toEqual(traffic);
  });

  it('parses its own result to the same value', () => {
    const once = parseManifest(MINIMAL, 'model.yaml');
    expect(parseManifest(once, 'model.yaml')).toEqual(once);
  });
});

describe('MODEL_ID_PATTERN', () => {
  it('accepts ids that need no escaping in a URL, 63 characters at most', () => {
    fc.assert(
      fc.property(fc.stringMatching(MODEL_ID_PATTERN), (id) => {
        expect(encodeURIComponent(id)).toBe(id);
        expect(id.length).toBeLessThanOrEqual(63);
      }),
    );
  });
});
