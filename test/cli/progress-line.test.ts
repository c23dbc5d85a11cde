import { describe, expect, it } from '@jest/globals';
import { ProgressLine } from '../../cli/progress-line.ts';

function terminal(isTTY: boolean) {
  const written: string[] = [];
  return { written, isTTY, write: (text: string | Uint8Array) => written.push(String(text)) > 0 };
}

describe('ProgressLine', () => {
  it('shows a bar within 80 columns, and removes it at the end', () => {
    const stream = terminal(true);
    {
      using line = new ProgressLine(stream);
      line.show({ done: 12, total: 48, step: 'static-smooth: accuracy' });
    }
    expect(stream.written).toEqual([
      '\r\u001b[2K[######..................]  25 %  static-smooth: accuracy',
      '\r\u001b[2K',
    ]);
  });

  it('limits how often it writes', () => {
    const stream = terminal(true);
    using line = new ProgressLine(stream);
    for (let done = 0; done < 1000; done++) line.show({ done, total: 1000, step: 'static' });
    expect(stream.written.length).toBeLessThan(20);
  });

  it('writes nothing if the output is not a terminal', () => {
    const stream = terminal(false);
    using line = new ProgressLine(stream);
    line.show({ done: 0, total: 0, step: 'original' });
    line.clear();
    expect(stream.written).toEqual([]);
  });
});
