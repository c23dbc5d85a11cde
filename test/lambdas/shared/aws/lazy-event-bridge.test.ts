import { expect, test } from '@jest/globals';
import { lazyEventBridge } from '../../../../lambdas/shared/aws/lazy-event-bridge.ts';

test('every event of a function uses the same client of the event bus', async () => {
  const eventBridge = lazyEventBridge();
  expect(await eventBridge()).toBe(await eventBridge());
});
