import { parentPort } from 'node:worker_threads';
import { writeToTable } from '../shared/aws/table-write.ts';
import { openVisibility } from '../shared/queue/visibility.ts';
import type { WatchdogRequest } from './watchdog-messages.ts';
import { WatchdogTasks } from './watchdog-tasks.ts';

const tasks = new WatchdogTasks({
  extend: openVisibility(),
  write: writeToTable,
  reply: (id) => parentPort?.postMessage(id),
});

parentPort?.on('message', (request: WatchdogRequest) => tasks.handle(request));
parentPort?.postMessage('ready');
