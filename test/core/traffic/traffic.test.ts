import { describe, expect, it } from '@jest/globals';
import { manifestTraffic, Traffic } from '../../../core/traffic/traffic.ts';
import { fixedTraffic } from '../../../core/traffic/traffic-source.ts';

const VERSION = { weights: '1/model.onnx', sha256: 'a'.repeat(64) };

describe('the traffic that a manifest declares', () => {
  it('goes to the highest version, by number, if the manifest declares none', () => {
    expect(manifestTraffic({ versions: { '9': VERSION, '10': VERSION, '2': VERSION } }).shares).toEqual({ '10': 100 });
  });

  it('never includes the shadow', () => {
    const shadow = { version: '2', percent: 1 };
    expect(manifestTraffic({ versions: { '1': VERSION, '2': VERSION }, shadow }).shares).toEqual({ '1': 100 });
  });

  it('is the declared split if there is one', () => {
    const traffic = { '1': 90, '2': 10 };
    expect(manifestTraffic({ versions: { '1': VERSION, '2': VERSION }, traffic }).shares).toEqual(traffic);
  });
});

describe('a traffic split', () => {
  it('names the versions that receive requests, without those at 0 percent', () => {
    expect(new Traffic({ '1': 100, '2': 0 }).versions).toEqual(['1']);
  });

  it('has the version with the largest share as its main version, the highest of equals', () => {
    expect(new Traffic({ '1': 20, '2': 80 }).main).toBe('2');
    expect(new Traffic({ '1': 40, '2': 40, '10': 20 }).main).toBe('2');
  });

  it('copies requests of the main version to the shadow, and no others', () => {
    const shadow = { version: '3', percent: 10 };
    const traffic = new Traffic({ '1': 90, '2': 10 }, shadow);
    expect(traffic.shadowFor('1')).toEqual(shadow);
    expect(traffic.shadowFor('2')).toBeUndefined();
  });

  // The vectors of version-split.test.ts: moving callers to other versions would break their experiments.
  it.each([
    ['', '3'],
    ['a', '1'],
    ['b', '2'],
    ['api-key-1', '2'],
    ['203.0.113.7', '1'],
    ['日本', '1'],
  ])('picks for the caller %j version %s, as every release did', (key, version) => {
    expect(
      fixedTraffic(new Traffic({ '1': 50, '2': 30, '3': 20 }))
        .current()
        .pick(key),
    ).toBe(version);
  });
});
