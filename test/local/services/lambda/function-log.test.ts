import { appendFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { FunctionLog } from '../../../../local/services/lambda/function-log.ts';
import { removeFolder, temporaryFolder } from '../../fixture-app.ts';

let folder: string;
let log: FunctionLog;

beforeEach(async () => {
  folder = await temporaryFolder();
  log = new FunctionLog(folder, 'fn');
});

afterEach(async () => {
  log.close();
  await removeFolder(folder);
});

/** Prints as a function does. Environments write to the file themselves. */
const print = (text: string): void => appendFileSync(log.file, text);

test('the records of a log are its lines of JSON, each returned once', () => {
  print('{"message":"jobs","n":1}\nplain text\n{broken\n');
  expect(log.takeRecords()).toEqual([{ message: 'jobs', n: 1 }]);
  print('{"message":"jobs","n":2}\n');
  expect(log.takeRecords()).toEqual([{ message: 'jobs', n: 2 }]);
  expect(log.takeRecords()).toEqual([]);
});

test('a line that is not written completely is returned once it is', () => {
  print('{"message":');
  expect(log.takeRecords()).toEqual([]);
  print('"ä"}\n');
  expect(log.takeRecords()).toEqual([{ message: 'ä' }]);
});

test('the records of earlier sessions are not returned', () => {
  print('{"message":"old"}\n');
  const later = new FunctionLog(folder, 'fn');
  expect(later.takeRecords()).toEqual([]);
  later.close();
});

test('the end of the output is searched if there is more than can be searched', () => {
  print(`${'x'.repeat(2_000_000)}\n{"message":"last"}\n`);
  expect(log.takeRecords()).toEqual([{ message: 'last' }]);
});
