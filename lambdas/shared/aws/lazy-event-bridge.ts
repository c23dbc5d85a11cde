import type { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { lazily } from '../resilience/lazily.ts';
import { CLIENT_SETTINGS } from './client-settings.ts';

/** Returns a function that loads one client of the event bus on first use, because few jobs publish events. */
export function lazyEventBridge(): () => Promise<EventBridgeClient> {
  return lazily(async () => {
    const { EventBridgeClient } = await import('@aws-sdk/client-eventbridge');
    return new EventBridgeClient(CLIENT_SETTINGS);
  });
}
