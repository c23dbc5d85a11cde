import { createHmac, randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { Webhook } from 'standardwebhooks';
import { formatSecret, SECRET_BYTES, signedHeaders } from '../../../core/webhooks/signature.ts';

const hmac = (key: Uint8Array, text: string): Uint8Array => createHmac('sha256', key).update(text).digest();

describe('signedHeaders', () => {
  it("pass the verification of the standard's library with each of the secrets", () => {
    const secrets = [formatSecret(randomBytes(SECRET_BYTES)), formatSecret(randomBytes(SECRET_BYTES))];
    const body = JSON.stringify({ type: 'job.succeeded', data: { text: 'größer' } });
    const headers = signedHeaders({ id: 'dlv_1', timestamp: Math.floor(Date.now() / 1000), body }, secrets, hmac);
    for (const secret of secrets) expect(new Webhook(secret).verify(body, headers)).toEqual(JSON.parse(body));
    const stranger = new Webhook(formatSecret(randomBytes(SECRET_BYTES)));
    expect(() => stranger.verify(body, headers)).toThrow('No matching signature');
    expect(() => new Webhook(secrets[0] ?? '').verify(`${body} `, headers)).toThrow('No matching signature');
  });

  it('have the form of the standard', () => {
    const secret = formatSecret(new Uint8Array(SECRET_BYTES));
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    const headers = signedHeaders({ id: 'dlv_1', timestamp: 7, body: '{}' }, [secret, secret], hmac);
    expect(headers).toMatchObject({ 'webhook-id': 'dlv_1', 'webhook-timestamp': '7' });
    expect(headers['webhook-signature']).toMatch(/^v1,\S+ v1,\S+$/);
  });
});
