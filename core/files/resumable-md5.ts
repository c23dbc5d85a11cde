/**
 * MD5 whose state can be stored as text and resumed in another process.
 *
 * The Uploads API lets callers check their bytes with MD5. It protects against accidents, not against attackers.
 */
export interface ResumableMd5 {
  /** Whether this release can resume a state; another one may have stored it in its own form. */
  canResume(state: string): boolean;
  /**
   * Adds bytes to a hash.
   *
   * @returns Its new state.
   */
  update(state: string, bytes: Uint8Array): string;
  /** The hash of all bytes so far, 32 hexadecimal digits. */
  digest(state: string): string;
}

/**
 * State of a hash of no bytes: MD5's initial words, in the form of the first release. Every release can resume it, so that
 * functions of two releases may share an upload during a deployment.
 */
export const MD5_START = '67452301efcdab8998badcfe10325476..0';
