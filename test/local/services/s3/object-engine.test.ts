import { spawnSync } from 'node:child_process';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { DeleteObjectCommand, GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { describe, expect, it } from '@jest/globals';
import { ObjectEngine } from '../../../../local/services/s3/object-engine.ts';
import { removeFolder, temporaryFolder } from '../../fixture-app.ts';
import { ManualClock } from '../../manual-clock.ts';
import { startS3 } from './s3-server.ts';

const MIB = 1_048_576;

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await pause(10);
}

describe('the folder of objects', () => {
  it('goes when the engine closes, and with the next start when its process was killed', async () => {
    const folder = await temporaryFolder();
    const { pid } = spawnSync(process.execPath, ['--version']);
    for (const name of [`objects-${pid}-a`, 'objects-kept', `objects-${process.ppid}-a`]) {
      await mkdir(join(folder, name));
      await writeFile(join(folder, name, 'file'), 'x');
    }
    const engine = await ObjectEngine.open(folder, [], new ManualClock());
    const others = await ObjectEngine.open(folder, [], new ManualClock());
    const kept = [`objects-${process.ppid}-a`, 'objects-kept'];
    const names = await readdir(folder);
    expect(names).toHaveLength(4);
    expect(names).toEqual(expect.arrayContaining(kept));
    await engine.close();
    await others.close();
    expect((await readdir(folder)).toSorted()).toEqual(kept.toSorted());
    await removeFolder(folder);
  });
});

describe('a caller that hangs up', () => {
  it('leaves nothing of an upload, and keeps no bytes of an object alive', async () => {
    const s3 = await startS3({ clock: new ManualClock(), buckets: { files: [] } });
    const count = async () => (await readdir(s3.folder, { recursive: true })).length;
    const before = await count();
    const stopping = new AbortController();
    async function* endless() {
      for (;;) {
        yield Buffer.alloc(MIB);
        if ((await count()) > before) stopping.abort();
      }
    }
    const body = Readable.from(endless());
    const put = new PutObjectCommand({ Bucket: 'files', Key: 'a', Body: body, ContentLength: 1024 * MIB });
    await expect(s3.client.send(put, { abortSignal: stopping.signal })).rejects.toBeDefined();
    await until(async () => (await count()) === before);

    const address = { Bucket: 'files', Key: 'read' };
    await s3.client.send(new PutObjectCommand({ ...address, Body: Buffer.alloc(32 * MIB) }));
    const { Body: download } = await s3.client.send(new GetObjectCommand(address));
    await s3.client.send(new DeleteObjectCommand(address));
    expect(await count()).toBe(before + 1);
    (download as Readable).destroy();
    await until(async () => (await count()) === before);
    await s3.close();
  });
});

describe('writers at the same time', () => {
  it('leave one whole object, and no bytes of the others', async () => {
    const s3 = await startS3({ clock: new ManualClock(), buckets: { files: [] } });
    const address = { Bucket: 'files', Key: 'contended' };
    const bodies = Array.from({ length: 8 }, (_, index) => Buffer.alloc(MIB, String(index)));
    await Promise.all(bodies.map((body) => s3.client.send(new PutObjectCommand({ ...address, Body: body }))));
    const { Body: body } = await s3.client.send(new GetObjectCommand(address));
    const bytes = Buffer.from((await body?.transformToByteArray()) ?? []);
    expect(bodies.some((written) => written.equals(bytes))).toBe(true);
    expect((await readdir(s3.folder, { recursive: true })).length).toBe(2);
    const once = bodies.map((written) =>
      s3.client.send(new PutObjectCommand({ ...address, Key: 'once', Body: written, IfNoneMatch: '*' })),
    );
    const outcomes = await Promise.allSettled(once);
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect((await readdir(s3.folder, { recursive: true })).length).toBe(3);
    await s3.close();
  });
});
