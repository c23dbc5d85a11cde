/** Syntax of media types, content codings and names of parameters: no spaces, no quotes. */
const TOKEN = /^[\w.+*/-]{1,80}$/;

/**
 * Shows a header's value or a parameter's name in a message, if it is a token. Anything else may be text of the caller,
 * which messages do not hold because they are logged.
 */
export function shownToken(value: string): string {
  return TOKEN.test(value) ? value : 'something else';
}
