import type { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { lazily } from '../resilience/lazily.ts';
import { CLIENT_SETTINGS, type ClientSettings } from './client-settings.ts';

/** Returns a function that loads one client of the event bus on first use, because few jobs publish events. */
export function lazyEventBridge(settings: ClientSettings = CLIENT_SETTINGS): () => Promise<EventBridgeClient> {
  return lazily(async () => {
    const { EventBridgeClient } = await import('@aws-sdk/client-eventbridge');
    return new EventBridgeClient(settings);
  });
}
