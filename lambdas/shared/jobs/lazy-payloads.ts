import type { PayloadStore } from '../../../core/jobs/payload-store.ts';
import { PAYLOAD_CLIENT_SETTINGS, type PayloadClientSettings } from '../aws/client-settings.ts';
import { lazily } from '../resilience/lazily.ts';

/**
 * Returns a function that opens the payload bucket on first use, because few requests and messages are so large that they
 * need S3. Every use shares one client.
 */
export function lazyPayloads(
  bucket: string,
  settings: PayloadClientSettings = PAYLOAD_CLIENT_SETTINGS,
): () => Promise<PayloadStore> {
  return lazily(async () => {
    const [{ S3Client }, { openS3PayloadStore }] = await Promise.all([
      import('@aws-sdk/client-s3'),
      import('./s3-payload-store.ts'),
    ]);
    return openS3PayloadStore({ client: new S3Client(settings), bucket });
  });
}
