import { create } from 'tar';

/** Weights hardly compress: more effort costs seconds and gains nothing. */
const COMPRESSION_LEVEL = 1;

/**
 * Writes a `model.tar.gz`. The same files give the same archive: no times, no owners, a fixed order.
 *
 * @param members - Paths in the folder.
 */
export function makeArchive(folder: string, file: string, members: string[]): void {
  create(
    {
      cwd: folder,
      file,
      sync: true,
      gzip: { level: COMPRESSION_LEVEL, portable: true },
      portable: true,
      noMtime: true,
      noPax: true,
    },
    members,
  );
}
