import { watch } from 'node:fs';
import { join } from 'node:path';

/** Files that editors create beside the one that is edited: `.model.yaml.swp`, `model.yaml~`, `4913`. */
const EDITORS_OWN = /(?:^|[\\/])(?:\.[^\\/]*|[^\\/]*~|4913)$/;

/**
 * Calls a listener with the path of each file that changes in some folders.
 *
 * @param folders - Folders relative to the current one; those that do not exist are left out.
 * @returns Ends the watch.
 */
export function watchFiles(folders: readonly string[], onChange: (file: string) => void): Disposable {
  const watchers = folders.flatMap((folder) => {
    try {
      const watcher = watch(folder, { recursive: true }, (_, name) => {
        if (name !== null && !EDITORS_OWN.test(name)) onChange(join(folder, name));
      });
      // The session continues if a watched folder is removed.
      return [watcher.on('error', () => watcher.close())];
    } catch {
      return [];
    }
  });
  return {
    [Symbol.dispose]: () => {
      for (const watcher of watchers) watcher.close();
    },
  };
}
