import { Busboy, type BusboyConfig } from '@fastify/busboy';

/** Reads a form as it streams in. */
export type FormParser = InstanceType<typeof Busboy>;

/** Opens a parser of forms. A module of its own: of a package in CommonJS a bundle can load no names by `import()`. */
export function openFormParser(config: BusboyConfig): FormParser {
  return new Busboy(config);
}
