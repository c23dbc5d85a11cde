import { describe, expect, it } from '@jest/globals';
import { sendableJson, sendableText } from '../../../../lambdas/shared/queue/sqs-text.ts';

/** All code units that SQS accepts unescaped. */
const SENDABLE = /^[\t\n\r -\uD7FF\uE000-\uFFFD]*$/;

describe('sendableJson', () => {
  it('escapes the characters that SQS refuses, so that the parsed value is unchanged', () => {
    const value = { text: 'bell \u0007, half \ud800, smile 🙂, none \uffff, ü' };
    const json = sendableJson(JSON.stringify(value));
    expect(json).toMatch(SENDABLE);
    expect(JSON.parse(json)).toEqual(value);
  });
});

describe('sendableText', () => {
  it('replaces the characters that SQS refuses with spaces', () => {
    expect(sendableText('bell \u0007, tab \t, ü')).toBe('bell  , tab \t, ü');
  });
});
