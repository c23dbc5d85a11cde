/**
 * Seconds that a step is held back which is sent before what it works on is recorded: longer than this function runs (a
 * caller of the gateway waits 29 s at most), so that what is not there by then never will be.
 */
export const SPARE_STEP_SECONDS = 30;
