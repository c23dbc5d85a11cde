/** A submission of requests to an asynchronous endpoint. */
export interface RunSubmission {
  /** Key of the run. */
  readonly run: string;
  /** Id of the submission; a later one of the same run replaces it. */
  readonly submission: string;
}

/**
 * Records which requests of a run an asynchronous endpoint still works on, so that a notification costs one write and
 * not a look at every request.
 */
export interface OpenInvocations {
  /** Starts a submission with these open numbers. Notifications of earlier submissions of the run no longer count. */
  start(submission: RunSubmission, numbers: readonly number[]): Promise<void>;
  /**
   * Marks numbers as completed. Repeats are harmless.
   *
   * @returns Whether nothing of the submission is open; false if the submission is not the latest of its run.
   */
  complete(submission: RunSubmission, numbers: readonly number[]): Promise<boolean>;
  /** The open numbers; undefined if the submission is not the latest of its run, or was forgotten. */
  find(submission: RunSubmission): Promise<readonly number[] | undefined>;
}
