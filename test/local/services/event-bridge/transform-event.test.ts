import { describe, expect, it } from '@jest/globals';
import { transformEvent } from '../../../../local/services/event-bridge/transform-event.ts';

const event = { time: '2026-11-28T00:00:00Z', detail: { id: 'a"b', count: 2, inner: { ok: true } } };
const paths = {
  time: '$.time',
  id: '$.detail.id',
  count: '$.detail.count',
  inner: '$.detail.inner',
  none: '$.detail.x',
};
const transform = (template: string) => transformEvent(event, { paths, template });

describe('an input transformer', () => {
  it('writes JSON for a placeholder that stands alone', () => {
    expect(transform('{"at":<time>,"n":<count>,"all":<inner>}')).toBe(
      '{"at":"2026-11-28T00:00:00Z","n":2,"all":{"ok":true}}',
    );
  });

  it('writes a text without quotation marks within a string, escaped', () => {
    const text = transform('{"message":"<id> ran <count> times at \\"<time>\\""}');
    expect(JSON.parse(text)).toEqual({ message: 'a"b ran 2 times at "2026-11-28T00:00:00Z"' });
  });

  it('leaves unknown names as they are, and writes nothing for a place that the event does not have', () => {
    expect(transform('"<other> <none>."')).toBe('"<other> ."');
  });
});
