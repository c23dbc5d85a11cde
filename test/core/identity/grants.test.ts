import { describe, expect, it } from '@jest/globals';
import { checkDestinations, checkInput, NO_GRANTS } from '../../../core/identity/grants.ts';

const GRANTS = {
  replyQueues: ['results', 'late'],
  eventBus: false,
  inputBuckets: [
    { bucket: 'lake', prefix: 'team-a/' },
    { bucket: 'own', prefix: '' },
  ],
};

const messageOf = (attempt: () => void) => {
  try {
    attempt();
  } catch (error) {
    return error;
  }
  return undefined;
};

describe('destinations inside the account', () => {
  it('are open to callers with a grant, and to callers that name none', () => {
    checkDestinations({ replyQueue: 'results' }, GRANTS);
    checkDestinations({ eventBus: true }, { ...NO_GRANTS, eventBus: true });
    checkDestinations({ eventBus: false }, NO_GRANTS);
    checkDestinations({}, NO_GRANTS);
  });

  it('are refused otherwise, by naming what the caller may use', () => {
    expect(messageOf(() => checkDestinations({ replyQueue: 'secret' }, GRANTS))).toMatchObject({
      code: 'DESTINATION_FORBIDDEN',
      param: 'reply_queue',
      message: 'reply_queue may not be used, this caller may use only results, late',
    });
    expect(messageOf(() => checkDestinations({ replyQueue: 'results' }, NO_GRANTS))).toMatchObject({
      message: 'reply_queue may not be used, this caller may use no reply queue',
    });
    expect(messageOf(() => checkDestinations({ eventBus: true }, GRANTS))).toMatchObject({
      code: 'DESTINATION_FORBIDDEN',
      param: 'event_bus',
    });
  });
});

describe('inputs in buckets', () => {
  it.each([
    ['lake', 'team-a/x'],
    ['lake', 'team-a/a..b/.x'],
    ['own', 'anything'],
  ])('may be read below a granted prefix: %s %s', (bucket, key) => {
    expect(() => checkInput({ bucket, key }, GRANTS)).not.toThrow();
  });

  it.each([
    ['lake', 'team-b/x'],
    ['lake', 'team-a'],
    ['lake', ''],
    ['lake', 'team-a/../team-b/x'],
    ['lake', 'team-a/./x'],
    ['own', '../lake/x'],
    ['lakes', 'team-a/x'],
    ['', 'x'],
  ])('may not be read elsewhere: %s %s', (bucket, key) => {
    expect(messageOf(() => checkInput({ bucket, key }, GRANTS))).toMatchObject({
      code: 'INPUT_FORBIDDEN',
      param: 'input_s3',
      message: 'input_s3 may not be read, this caller may read only s3://lake/team-a/, s3://own/',
    });
  });

  it('may not be read at all without a grant', () => {
    expect(messageOf(() => checkInput({ bucket: 'lake', key: 'x' }, NO_GRANTS))).toMatchObject({
      message: 'input_s3 may not be read, this caller may read no bucket',
    });
  });
});
