/**
 * Characters that SQS refuses (API reference of `SendMessage`): those that XML 1.0 excludes. Characters beyond the basic
 * multilingual plane are allowed but consist of surrogates, which not all servers accept.
 */
const NOT_SENDABLE = /[^\t\n\r -\uD7FF\uE000-\uFFFD]/g;

/** Escapes JSON so that SQS accepts it. The excluded characters can occur in strings only. */
export function sendableJson(json: string): string {
  return json.replace(NOT_SENDABLE, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Replaces the characters that SQS refuses with spaces. */
export function sendableText(text: string): string {
  return text.replace(NOT_SENDABLE, ' ');
}
