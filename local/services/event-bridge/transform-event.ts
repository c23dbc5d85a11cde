import { isJsonObject, type Json, type JsonObject } from '../../template/json.ts';

/** The `InputTransformer` of a rule's target, which replaces the event. */
export interface EventTransformer {
  /** Places in the event by the name of their placeholder: `{ status: '$.detail.status' }`. */
  readonly paths: Readonly<Record<string, string>>;
  /** Text in which each `<name>` is replaced. */
  readonly template: string;
}

/**
 * Replaces the placeholders of a transformer. A placeholder stands for JSON, except within a JSON string, where a string is
 * written without quotation marks. A place that the event does not have is an empty text.
 *
 * @see https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
 */
export function transformEvent(event: JsonObject, { paths, template }: EventTransformer): string {
  let isInString = false;
  return template.replaceAll(/\\.|"|<([\w-]+)>/g, (text, name: string | undefined) => {
    if (text === '"') isInString = !isInString;
    const path = name === undefined ? undefined : paths[name];
    if (path === undefined) return text;
    const value = placeIn(event, path);
    if (value === undefined) return '';
    const json = JSON.stringify(value);
    return isInString && typeof value === 'string' ? json.slice(1, -1) : json;
  });
}

/** @returns The part of an event at a path such as `$.detail.status`; undefined if it does not exist. */
export function placeIn(event: JsonObject, path: string): Json | undefined {
  const names = path.split('.').slice(1);
  return names.reduce<Json | undefined>(
    (value, name) => (value !== undefined && isJsonObject(value) ? value[name] : undefined),
    event,
  );
}
