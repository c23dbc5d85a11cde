import { describe, expect, it } from '@jest/globals';
import { checkGranted } from '../../../core/config/granted.ts';

const HAS = { replyQueues: ['results'], inputBuckets: ['lake'] };

describe('checkGranted', () => {
  it('accepts grants of resources that the deployment has', () => {
    const all = { replyQueues: ['results'], inputBuckets: [{ bucket: 'lake', prefix: 'a/' }] };
    expect(() => checkGranted({ 'usagePlans.pro': all, 'jobs.producers': {} }, HAS, 'dev.yaml')).not.toThrow();
  });

  it('lists every grant of an unknown resource', () => {
    const wrong = { replyQueues: ['results', 'result'], inputBuckets: [{ bucket: 'lakes', prefix: '' }] };
    expect(() => checkGranted({ 'usagePlans.pro': wrong }, HAS, 'dev.yaml')).toThrow(
      `dev.yaml grants resources that the deployment does not have:
  usagePlans.pro.replyQueues: must name one of jobs.replyQueues (results), got result
  usagePlans.pro.inputBuckets: must name one of jobs.inputBuckets (lake), got lakes`,
    );
    expect(() => checkGranted({ 'jobs.producers': { replyQueues: ['x'] } }, { ...HAS, replyQueues: [] }, 'f')).toThrow(
      'jobs.producers.replyQueues: must name one of jobs.replyQueues (none), got x',
    );
  });
});
