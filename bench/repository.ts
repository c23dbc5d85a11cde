import { join } from 'node:path';

/** Root of the checkout that the bench runs in. */
export const REPOSITORY = join(import.meta.dirname, '..');

/** The model that is measured. */
export const MODEL_ID = 'minilm';

/** Folder of the model that is measured. */
export const MODEL_DIRECTORY = join(REPOSITORY, 'models', MODEL_ID);

/** Folder for what the bench makes and may throw away. */
export const WORK_DIRECTORY = join(REPOSITORY, '.tensorgate/bench');

/** Folder of the results that are kept. */
export const RESULTS_DIRECTORY = join(REPOSITORY, 'bench/results');
