import { describe, expect, it } from '@jest/globals';
import { lazily } from '../../../../lambdas/shared/resilience/lazily.ts';

describe('lazily', () => {
  it('opens on first use, once for concurrent and later uses', async () => {
    let opened = 0;
    const use = lazily(async () => {
      opened += 1;
      return opened;
    });
    expect(opened).toBe(0);
    expect(await Promise.all([use(), use()])).toEqual([1, 1]);
    expect(await use()).toBe(1);
  });

  it('tries again after a failure', async () => {
    const outcomes = [() => Promise.reject(new Error('no module')), async () => 'open'];
    const use = lazily(() => outcomes.shift()?.() ?? Promise.reject(new Error('tried too often')));
    await expect(use()).rejects.toThrow('no module');
    expect(await use()).toBe('open');
    expect(await use()).toBe('open');
  });
});
