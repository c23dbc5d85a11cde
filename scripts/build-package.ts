import { copyFile, glob, readdir, readFile, writeFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { basename, join } from 'node:path';
import { build, type Plugin } from 'esbuild';

const ROOT = join(import.meta.dirname, '..');
const PACKAGE = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'));

/** Packages that an app has when it installs this one. */
const INSTALLED = new Set(Object.keys({ ...PACKAGE.dependencies, ...PACKAGE.peerDependencies }));

/** Plain JavaScript of local mode, which the compiler does not copy: with packages in it, or as it is. */
const WITH_PACKAGES = ['services/dynamodb/dynalite-modules.cjs', 'services/sqs/fauxqs-modules.mjs'];
const AS_IT_IS = ['services/lambda/runtime-preload.mjs', 'services/lambda/runtime-client.cjs'];

/** Folder of the package that a path is in, and its name. */
const IN_PACKAGE = /^(?:.*\/)?(node_modules\/((?:@[^/]+\/)?[^/]+))\//;

/** Includes the packages that an app does not install. Everything else is imported when local mode runs. */
const includePackages: Plugin = {
  name: 'include-packages',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /.*/ }, ({ path, kind, importer }) => {
      if (kind === 'entry-point' || path.includes('node_modules/')) return undefined;
      if (isBuiltin(path)) return { path, external: true };
      // LevelDB on disk, which needs native code. Local mode keeps its tables in memory.
      if (path === 'level') return { path, namespace: 'absent' };
      if (IN_PACKAGE.test(importer)) return undefined;
      return path.startsWith('.') || INSTALLED.has(nameOf(path)) ? { path, external: true } : undefined;
    });
    onLoad({ filter: /.*/, namespace: 'absent' }, () => ({ contents: 'exports.Level = class {};' }));
  },
};

/** Bundled CommonJS calls `require` for modules of Node; an ES module must make its own. */
const BANNER =
  "import { createRequire as createRequireOfPackages } from 'node:module';\nconst require = createRequireOfPackages(import.meta.url);";

/** Includes packages in a file. @returns Folders of these packages. */
async function bundle(from: string, to: string): Promise<readonly string[]> {
  const isCommonJs = to.endsWith('.cjs');
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: [from],
    outfile: to,
    allowOverwrite: true,
    bundle: true,
    format: isCommonJs ? 'cjs' : 'esm',
    platform: 'node',
    target: 'node24',
    charset: 'utf8',
    banner: isCommonJs ? {} : { js: BANNER },
    plugins: [includePackages],
    metafile: true,
    write: true,
    logLevel: 'warning',
  });
  return Object.keys(metafile?.inputs ?? {}).flatMap((path) => {
    const [, folder] = IN_PACKAGE.exec(path) ?? [];
    return folder === undefined ? [] : [path.slice(0, path.indexOf(folder) + folder.length)];
  });
}

/** Compiled files of local mode that import a package which an app does not install. */
async function filesWithPackages(): Promise<readonly string[]> {
  const files: string[] = [];
  for await (const file of glob('dist/local/**/*.js', { cwd: ROOT })) {
    const imports = (await readFile(join(ROOT, file), 'utf8')).matchAll(
      /^(?:import|export) .*?from '([^.'][^']*)';$/gm,
    );
    if ([...imports].some(([, path = '']) => !isBuiltin(path) && !INSTALLED.has(nameOf(path)))) files.push(file);
  }
  return files;
}

function nameOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

/** The names, versions and licences of included packages, which their licences require. */
async function renderLicences(folders: ReadonlySet<string>): Promise<string> {
  const texts = [...folders].sort().map(async (folder) => {
    const { name, version, license } = JSON.parse(await readFile(join(ROOT, folder, 'package.json'), 'utf8'));
    const file = (await readdir(join(ROOT, folder))).find((entry) => /^licen[cs]e(?:\.\w+)?$/i.test(entry));
    const text = file === undefined ? '' : await readFile(join(ROOT, folder, file), 'utf8');
    return `${name} ${version} (${license})\n\n${text.trim()}\n`;
  });
  return (await Promise.all(texts)).join(`\n${'-'.repeat(80)}\n\n`);
}

/**
 * Completes `dist/` after the compiler: includes the packages that local mode needs, so that an app has local mode without
 * installing 170 packages, some of which compile native code at installation.
 */
async function completePackage(): Promise<void> {
  const local = (path: string) => join('local', path);
  const compiled = await filesWithPackages();
  const folders = new Set<string>();
  for (const file of compiled) for (const folder of await bundle(file, file)) folders.add(folder);
  for (const file of WITH_PACKAGES) {
    for (const folder of await bundle(local(file), join('dist', local(file)))) folders.add(folder);
  }
  for (const file of AS_IT_IS) await copyFile(join(ROOT, local(file)), join(ROOT, 'dist', local(file)));
  const client = 'node_modules/aws-lambda-ric';
  await copyFile(join(ROOT, client, 'index.mjs'), join(ROOT, 'dist/local/services/lambda', `${basename(client)}.mjs`));
  folders.add(client);
  await writeFile(join(ROOT, 'dist/local/LICENSES.txt'), await renderLicences(folders));
  console.log(`local mode includes ${folders.size} packages: dist/local/LICENSES.txt`);
}

await completePackage();
