import { createHash } from 'node:crypto';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeNode } from '../../onnx/format/graph.ts';
import { encodeModel } from '../../onnx/format/proto.ts';
import { tensorProto } from '../../onnx/format/tensor-proto.ts';
import { smallModel, value } from '../onnx/small-models.ts';

/** This checkout of the repository. */
export const ROOT = join(import.meta.dirname, '../..');

/** A folder in which the app of the repository is synthesized with models and a configuration of its own. */
export class Project {
  /** Absolute path of the folder. */
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Creates a project with the models and the configuration of the repository. */
  static async create(folder: string): Promise<Project> {
    await mkdir(folder, { recursive: true });
    for (const name of ['models', 'config']) await cp(join(ROOT, name), join(folder, name), { recursive: true });
    const project = new Project(folder);
    await project.edit('config/dev.yaml', /^maxIdleMonthlyUsd: .*$/m, '');
    await project.useCheckout(ROOT);
    return project;
  }

  /** Makes the app that of a checkout of the repository, whose functions are built. */
  async useCheckout(root: string): Promise<void> {
    const { context } = JSON.parse(await readFile(join(root, 'cdk.json'), 'utf8')) as { readonly context: object };
    await writeFile(
      join(this.folder, 'cdk.json'),
      JSON.stringify({ app: `node ${join(root, 'bin/app.ts')}`, context }),
    );
  }

  /** Replaces a part of a file. */
  async edit(file: string, search: RegExp, replacement: string): Promise<void> {
    const path = join(this.folder, file);
    const text = await readFile(path, 'utf8');
    if (!search.test(text)) throw new Error(`${file} does not match ${search}`);
    await writeFile(path, text.replace(search, replacement));
  }

  /**
   * Writes a model that multiplies rows of two numbers by a factor and adds them.
   *
   * @param settings - More lines of its manifest.
   */
  async writeMultiplier(id: string, factor: number, settings: readonly string[] = []): Promise<void> {
    const weights = encodeModel(
      smallModel({
        nodes: [makeNode('MatMul', 'times', ['x', 'w'], ['y'])],
        inputs: [value('x', ['rows', 2])],
        outputs: [value('y', ['rows', 1])],
        constants: [tensorProto('w', [2, 1], Float32Array.of(factor, factor))],
      }),
    );
    const folder = join(this.folder, 'models', id);
    await mkdir(join(folder, '1'), { recursive: true });
    await writeFile(join(folder, '1/model.onnx'), weights);
    const sha256 = createHash('sha256').update(weights).digest('hex');
    const versions = ['versions:', `  "1": { weights: 1/model.onnx, sha256: ${sha256} }`];
    const manifest = [`id: ${id}`, 'task: tensor', ...versions, ...settings];
    await writeFile(join(folder, 'model.yaml'), `${manifest.join('\n')}\n`);
  }

  /** Adds a second model of sentence embeddings. */
  async copyEmbeddingModel(id: string): Promise<void> {
    await cp(join(this.folder, 'models/minilm'), join(this.folder, 'models', id), { recursive: true });
    await this.edit(`models/${id}/model.yaml`, /^id: minilm$/m, `id: ${id}`);
  }

  async removeModel(id: string): Promise<void> {
    await rm(join(this.folder, 'models', id), { recursive: true });
  }
}
