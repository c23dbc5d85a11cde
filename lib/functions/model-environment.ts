import { type FunctionSettings, renderSettings } from '../../core/functions/settings.ts';

/** Returns the environment variables of a function that runs a model. */
export function modelEnvironment(settings: Partial<FunctionSettings>): Record<string, string> {
  return { ...renderSettings(settings), ORT_DISABLE_TELEMETRY: '1' };
}
