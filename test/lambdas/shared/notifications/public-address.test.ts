import { describe, expect, it } from '@jest/globals';
import { isPublicAddress, pinAddress } from '../../../../lambdas/shared/notifications/public-address.ts';

describe('isPublicAddress', () => {
  it.each(['93.184.215.14', '8.8.8.8', '2606:4700:4700::1111', '2a00:1450:4001:81b::200e'])('accepts %s', (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });

  it.each([
    ['private', '10.0.0.1'],
    ['private', '172.16.5.4'],
    ['private', '192.168.1.1'],
    ['loopback', '127.0.0.1'],
    ['loopback', '127.8.8.8'],
    ['link-local, metadata', '169.254.169.254'],
    ['carrier-grade NAT', '100.64.0.1'],
    ['this network', '0.0.0.0'],
    ['benchmarks', '198.18.0.1'],
    ['multicast', '224.0.0.1'],
    ['broadcast', '255.255.255.255'],
    ['reserved', '240.0.0.1'],
    ['documentation', '192.0.2.1'],
    ['loopback', '::1'],
    ['unspecified', '::'],
    ['link-local', 'fe80::1'],
    ['unique local', 'fd00:ec2::254'],
    ['IPv4 in IPv6', '::ffff:169.254.169.254'],
    ['IPv4 in IPv6', '::ffff:8.8.8.8'],
    ['NAT64', '64:ff9b::a9fe:a9fe'],
    ['6to4', '2002:a9fe:a9fe::1'],
    ['Teredo', '2001::1'],
    ['multicast', 'ff02::1'],
    ['beyond global unicast', '4000::1'],
    ['no address', 'example.com'],
  ])('refuses %s: %s', (_, address) => {
    expect(isPublicAddress(address)).toBe(false);
  });
});

describe('pinAddress', () => {
  const answers =
    (...addresses: string[]) =>
    async () =>
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));

  it('chooses the first of addresses that are all public', async () => {
    expect(await pinAddress('a.example.com', answers('8.8.8.8', '2606:4700::1'), false)).toEqual({
      address: '8.8.8.8',
      family: 4,
    });
  });

  it('fails with INVALID_WEBHOOK_URL when one of them is not', async () => {
    await expect(pinAddress('a.example.com', answers('8.8.8.8', '10.0.0.1'), false)).rejects.toMatchObject({
      code: 'INVALID_WEBHOOK_URL',
    });
    await expect(pinAddress('a.example.com', answers('127.0.0.1'), false)).rejects.toMatchObject({
      code: 'INVALID_WEBHOOK_URL',
    });
  });

  it('accepts loopback, and nothing else that is private, where that is allowed', async () => {
    expect(await pinAddress('[::1]', answers(), true)).toEqual({ address: '::1', family: 6 });
    await expect(pinAddress('10.0.0.1', answers(), true)).rejects.toMatchObject({ code: 'INVALID_WEBHOOK_URL' });
  });

  it('fails with UNAVAILABLE when the name does not resolve', async () => {
    await expect(pinAddress('a.example.com', answers(), false)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    const failing = () => Promise.reject(new Error('ENOTFOUND'));
    await expect(pinAddress('a.example.com', failing, false)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });
});
