import { describe, expect, it } from '@jest/globals';
import { DEAD_LETTER_ATTRIBUTES, REDRIVE_ATTRIBUTE } from '../../../core/jobs/dead-letter.ts';

describe('the attributes of a dead letter', () => {
  const names = [...Object.values(DEAD_LETTER_ATTRIBUTES), REDRIVE_ATTRIBUTE];

  it('have names that SQS accepts and does not reserve', () => {
    // SQS developer guide, "Amazon SQS message metadata".
    for (const name of names) expect(name).toMatch(/^(?!aws\.|amazon\.)[A-Za-z0-9_-]{1,256}$/i);
  });

  it('differ from each other', () => {
    expect(new Set(names).size).toBe(names.length);
  });

  it('never change their names, because letters stay in the queue while a deployment is updated', () => {
    expect(names).toEqual(['errorCode', 'errorMessage', 'sourceQueue', 'redrive']);
  });
});
