import { create } from 'tar';

/** Weights hardly compress: more effort costs seconds and gains nothing. */
const COMPRESSION_LEVEL = 1;

/** Every user may read the files, whatever the umask: the server in a container may not run as their owner. */
const READ_BITS = 0o444;

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
      onWriteEntry: ({ stat }) => {
        if (stat !== undefined) stat.mode |= READ_BITS;
      },
    },
    members,
  );
}
