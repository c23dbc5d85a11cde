import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { build, type Metafile, type OutputFile } from 'esbuild';
import { builtinModulesPlugin } from './builtin-modules-plugin.ts';
import { onnxruntimePlugin } from './onnxruntime-plugin.ts';

/** Bundled CommonJS calls `require` for native code; an ES module must make its own. */
const BANNER = "const require=process.getBuiltinModule('node:module').createRequire(import.meta.url);";

/** Size of one file of a bundle. */
export interface BundleFile {
  readonly file: string;
  readonly bytes: number;
}

/** The contents of `bundle.json` beside a bundle: its files, and which of them a cold start loads. */
export interface BundleReport {
  /** The entry and what it imports statically. */
  readonly coldPath: readonly BundleFile[];
  readonly coldPathBytes: number;
  /** Files that are imported only when they are needed. */
  readonly lazy: readonly BundleFile[];
  readonly lazyBytes: number;
}

/**
 * Bundles a function: minified ES modules for Node 24, split so that what is imported lazily is a file of its own. A file
 * beside the entry whose name ends with `-thread.ts` is the entry of a worker thread.
 *
 * Files whose bytes did not change are left alone, so that a bundle in use can be built again.
 *
 * @param entry - Path of the function's `index.ts`.
 * @param folder - Where the bundle goes; other files in it are removed.
 */
export async function bundleFunction(entry: string, folder: string): Promise<BundleReport> {
  const { outputFiles, metafile } = await build({
    entryPoints: { index: entry, ...(await threadsBeside(entry)) },
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    minify: true,
    charset: 'utf8',
    format: 'esm',
    platform: 'node',
    target: 'node24',
    mainFields: ['module', 'main'],
    banner: { js: BANNER },
    legalComments: 'external',
    plugins: [builtinModulesPlugin, onnxruntimePlugin],
    metafile: true,
    write: false,
    logLevel: 'warning',
  });
  const report = reportOf(metafile);
  const files = new Map(outputFiles.map((file: OutputFile) => [basename(file.path), Buffer.from(file.contents)]));
  files.set('bundle.json', Buffer.from(`${JSON.stringify(report, null, 2)}\n`));
  await writeFolder(folder, files);
  return report;
}

async function threadsBeside(entry: string): Promise<Record<string, string>> {
  const folder = dirname(entry);
  const files = (await readdir(folder)).filter((name) => name.endsWith('-thread.ts'));
  return Object.fromEntries(files.map((name) => [basename(name, '.ts'), join(folder, name)]));
}

function reportOf({ outputs }: Metafile): BundleReport {
  const scripts = Object.entries(outputs).filter(([path]) => path.endsWith('.mjs'));
  const entry = scripts.find(
    ([, { entryPoint, imports }]) => entryPoint !== undefined && imports !== undefined && isIndex(entryPoint),
  );
  const cold = new Set<string>();
  const visit = (path: string) => {
    if (cold.has(path)) return;
    cold.add(path);
    for (const { path: next, kind, external } of outputs[path]?.imports ?? []) {
      if (kind === 'import-statement' && external !== true) visit(next);
    }
  };
  if (entry !== undefined) visit(entry[0]);
  const files = scripts.map(([path, { bytes }]) => ({ path, file: basename(path), bytes }));
  const pick = (isCold: boolean) =>
    files.filter(({ path }) => cold.has(path) === isCold).map(({ file, bytes }) => ({ file, bytes }));
  const [coldPath, lazy] = [pick(true), pick(false)];
  return { coldPath, coldPathBytes: total(coldPath), lazy, lazyBytes: total(lazy) };
}

function isIndex(entryPoint: string): boolean {
  return basename(entryPoint) === 'index.ts';
}

function total(files: readonly BundleFile[]): number {
  return files.reduce((sum, { bytes }) => sum + bytes, 0);
}

async function writeFolder(folder: string, files: ReadonlyMap<string, Buffer>): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const [name, contents] of files) {
    const path = join(folder, name);
    const present = await readFile(path).catch(() => undefined);
    if (present?.equals(contents)) continue;
    // A new file: packages of functions hold hard links to the old one, and must keep what their names promise.
    await rm(path, { force: true });
    await writeFile(path, contents);
  }
  for (const name of await readdir(folder)) {
    if (!files.has(name)) await rm(join(folder, name), { recursive: true });
  }
}
