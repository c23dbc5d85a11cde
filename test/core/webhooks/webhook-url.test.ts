import { describe, expect, it } from '@jest/globals';
import { canonicalUrl, checkWebhookUrl, receiverOf } from '../../../core/webhooks/webhook-url.ts';

const check = (url: string, allowLoopback = false) => checkWebhookUrl(url, { allowLoopback });

describe('checkWebhookUrl', () => {
  it.each(['https://hooks.example.com/a?b=c', 'https://shop.de:8443/', 'https://xn--bcher-kva.ch./hook'])(
    'accepts %s',
    (url) => {
      expect(() => check(url)).not.toThrow();
    },
  );

  it.each([
    ['no URL', 'must be a URL'],
    [`https://a.example.com/${'x'.repeat(2048)}`, 'must be a URL of 2048 characters'],
    ['http://hooks.example.com/', 'must be an https URL'],
    ['ftp://hooks.example.com/', 'must be an https URL'],
    ['https://user:word@hooks.example.com/', 'must not contain a user name'],
    ['https://127.0.0.1/', 'must contain a host name'],
    ['https://2130706433/', 'must contain a host name'],
    ['https://0x7f.1/', 'must contain a host name'],
    ['https://169.254.169.254/latest/meta-data', 'must contain a host name'],
    ['https://[::1]/', 'must contain a host name'],
    ['https://[::ffff:10.0.0.1]/', 'must contain a host name'],
    ['https://localhost/', 'public host'],
    ['https://intranet/', 'public host'],
    ['https://db.internal/', 'public host'],
    ['https://printer.local./', 'public host'],
  ])('fails with INVALID_WEBHOOK_URL for %s', (url, words) => {
    expect(() => check(url)).toThrow(expect.objectContaining({ code: 'INVALID_WEBHOOK_URL' }));
    expect(() => check(url)).toThrow(words);
  });

  it.each(['http://127.0.0.1:8080/hook', 'http://localhost:1/', 'https://[::1]/'])(
    'accepts %s if this machine may be called',
    (url) => {
      expect(() => check(url, true)).not.toThrow();
    },
  );

  it('accepts no other address if this machine may be called', () => {
    expect(() => check('http://10.0.0.1/', true)).toThrow('must be an https URL');
    expect(() => check('ftp://localhost/', true)).toThrow('must be an https URL');
  });
});

describe('a webhook URL', () => {
  it.each([
    'HTTPS://Hooks.Example.com/a',
    ' https://hooks.example.com/a',
    'https://hooks.example.com:443/a\n',
    'https:\\\\hooks.example.com\\a',
  ])('has one normal form for every notation: %j', (text) => {
    checkWebhookUrl(text, { allowLoopback: false });
    expect(canonicalUrl(text)).toBe('https://hooks.example.com/a');
  });

  it.each([
    ['https://hooks.example.com/a?b#c', 'hooks.example.com'],
    ['https://HOOKS.example.com.:8443/', 'hooks.example.com'],
    ['http://127.0.0.1:8080/a', '127.0.0.1:8080'],
    ['http://[::1]:8080/', '[::1]:8080'],
  ])('%s belongs to the receiver %s', (url, receiver) => {
    expect(receiverOf(url)).toBe(receiver);
  });
});
