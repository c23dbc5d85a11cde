import { EventEmitter } from 'node:events';
import { expect, test } from '@jest/globals';
import { CONTROL_C, listenForKeys } from '../../../local/terminal/key-presses.ts';

/** A terminal that keys can be pressed in. */
class FakeTerminal extends EventEmitter {
  readonly isTTY: boolean;
  isRaw = false;
  isPaused = true;

  constructor(isTTY = true) {
    super();
    this.isTTY = isTTY;
  }

  setRawMode(isRaw: boolean): this {
    this.isRaw = isRaw;
    return this;
  }

  resume(): this {
    this.isPaused = false;
    return this;
  }

  pause(): this {
    this.isPaused = true;
    return this;
  }

  press(keys: string): void {
    this.emit('data', Buffer.from(keys));
  }
}

function listen(terminal: FakeTerminal) {
  const keys: string[] = [];
  return { keys, subscription: listenForKeys(terminal, (key) => keys.push(key)) };
}

test('each key is reported without the Enter key, until the listener is disposed of', () => {
  const terminal = new FakeTerminal();
  const { keys, subscription } = listen(terminal);
  expect([terminal.isRaw, terminal.isPaused]).toEqual([true, false]);
  terminal.press('rv');
  subscription[Symbol.dispose]();
  terminal.press('q');
  expect(keys).toEqual(['r', 'v']);
  expect([terminal.isRaw, terminal.isPaused]).toEqual([false, true]);
});

test('Ctrl-C is a key like others', () => {
  const terminal = new FakeTerminal();
  const { keys, subscription } = listen(terminal);
  terminal.press('\u0003');
  subscription[Symbol.dispose]();
  expect(keys).toEqual([CONTROL_C]);
});

test('input that does not come from a terminal is left alone', () => {
  const pipe = new FakeTerminal(false);
  const { keys, subscription } = listen(pipe);
  pipe.press('q');
  subscription[Symbol.dispose]();
  expect(keys).toEqual([]);
  expect(pipe.listenerCount('data')).toBe(0);
});
