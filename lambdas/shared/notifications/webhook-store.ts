import {
  DeleteItemCommand,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import type { Clock } from '../../../core/clock.ts';
import type { Delivery } from '../../../core/webhooks/delivery.ts';
import type { DeliveryMessage } from '../../../core/webhooks/delivery-message.ts';
import { type EndpointHealth, HEALTHY, isHealthy } from '../../../core/webhooks/endpoint-health.ts';
import { formatSecret } from '../../../core/webhooks/signature.ts';
import { WEBHOOKS_TABLE, webhooksTableKeys } from '../../../core/webhooks/webhooks-table.ts';
import { fromItem, type Item, toItem } from '../aws/attribute-value.ts';
import { callAws } from '../aws/client-settings.ts';
import { openVersionedLists, type VersionedLists } from '../aws/versioned-list.ts';
import { sha256 } from '../sha256.ts';

/** A secret that signs a caller's webhooks. */
export interface SigningSecret {
  /** `whsec_` and base64. */
  readonly secret: string;
  readonly createdAtMs: number;
  /** When it stops signing, after it was replaced; absent for the newest. */
  readonly expiresAtMs?: number;
}

/** Stores secrets, the health of receivers, and deliveries. */
export interface WebhookStore {
  /** Returns the active secrets, the newest first. Creates the first one if there is none. */
  secrets(owner: string): Promise<readonly SigningSecret[]>;
  /** Creates a new secret. The previous one signs for another day. Older ones stop signing. */
  rotate(owner: string): Promise<readonly SigningSecret[]>;
  health(owner: string, url: string): Promise<EndpointHealth>;
  setHealth(owner: string, url: string, health: EndpointHealth): Promise<void>;
  deliveries(owner: string, subject: DeliveryMessage['subject']): Promise<readonly Delivery[]>;
  putDelivery(owner: string, subject: DeliveryMessage['subject'], delivery: Delivery): Promise<void>;
}

/** Dependencies of {@link openWebhookStore}. */
export interface WebhookStoreOptions {
  readonly client: DynamoDBClient;
  /** Name of the webhooks table. */
  readonly table: string;
  readonly retentionDays: number;
  readonly clock: Clock;
  /** Creates the random bytes of a secret. */
  readonly secretBytes: () => Uint8Array;
}

const DAY_MS = 86_400_000;

/** How long a replaced secret still signs. */
const OVERLAP_MS = DAY_MS;

/** How long the health of a receiver is kept after its last failure. */
const HEALTH_MS = 30 * DAY_MS;

/**
 * Prefix of the attribute of each delivery: one update can then set it, whether the item exists or not. Earlier versions
 * kept deliveries in a map `list`, which is still read.
 */
const DELIVERY_PREFIX = 'delivery/';

const TABLE = 'the webhooks table';
const { partitionKey, expiresAt } = WEBHOOKS_TABLE;

/** Opens the webhooks table. Its methods throw AppError `UNAVAILABLE` if it does not respond. */
export function openWebhookStore(options: WebhookStoreOptions): WebhookStore {
  return new DynamoDbWebhookStore(options);
}

class DynamoDbWebhookStore implements WebhookStore {
  readonly #options: WebhookStoreOptions;
  readonly #secrets: VersionedLists<SigningSecret>;

  constructor(options: WebhookStoreOptions) {
    const { client, table } = options;
    this.#options = options;
    this.#secrets = openVersionedLists({ client, table, partitionKey, what: TABLE });
  }

  secrets(owner: string): Promise<readonly SigningSecret[]> {
    return this.#changeSecrets(owner, (active) => (active.length > 0 ? active : [this.#newSecret()]));
  }

  rotate(owner: string): Promise<readonly SigningSecret[]> {
    const expiresAtMs = this.#options.clock.now() + OVERLAP_MS;
    return this.#changeSecrets(owner, ([newest]) => [
      this.#newSecret(),
      ...(newest === undefined ? [] : [{ ...newest, expiresAtMs }]),
    ]);
  }

  async health(owner: string, url: string): Promise<EndpointHealth> {
    const item = await this.#get(healthKey(owner, url));
    if (item === undefined) return HEALTHY;
    const { failures, openUntilMs, disabledAtMs } = fromItem(item);
    return {
      failures: Number(failures),
      openUntilMs: Number(openUntilMs),
      disabledAtMs: disabledAtMs === undefined ? undefined : Number(disabledAtMs),
    };
  }

  async setHealth(owner: string, url: string, health: EndpointHealth): Promise<void> {
    const { client, table } = this.#options;
    const key = healthKey(owner, url);
    // A healthy receiver has no item.
    if (isHealthy(health)) {
      const command = new DeleteItemCommand({ TableName: table, Key: keyItem(key) });
      await callAws(TABLE, () => client.send(command));
      return;
    }
    await this.#put(key, { ...health, ...this.#expiry(this.#options.clock.now() + HEALTH_MS) });
  }

  async deliveries(owner: string, subject: DeliveryMessage['subject']): Promise<readonly Delivery[]> {
    const item = await this.#get(deliveriesKey(owner, subject));
    const { list = {}, ...members } = item === undefined ? {} : fromItem(item);
    const own = Object.entries(members).filter(([name]) => name.startsWith(DELIVERY_PREFIX));
    const byId = { ...(list as object), ...Object.fromEntries(own.map(([name, value]) => [idOf(name), value])) };
    // Written by putDelivery only.
    return Object.values(byId as Record<string, Delivery>);
  }

  async putDelivery(owner: string, subject: DeliveryMessage['subject'], delivery: Delivery): Promise<void> {
    const { client, table, clock, retentionDays } = this.#options;
    const command = new UpdateItemCommand({
      TableName: table,
      Key: keyItem(deliveriesKey(owner, subject)),
      UpdateExpression: 'SET #delivery = :delivery, #expiresAt = :expiresAt',
      ExpressionAttributeNames: { '#delivery': `${DELIVERY_PREFIX}${delivery.id}`, '#expiresAt': expiresAt },
      ExpressionAttributeValues: toItem({
        ':delivery': delivery,
        ':expiresAt': Math.ceil((clock.now() + retentionDays * DAY_MS) / 1000),
      }),
    });
    await callAws(TABLE, () => client.send(command));
  }

  #newSecret(): SigningSecret {
    return { secret: formatSecret(this.#options.secretBytes()), createdAtMs: this.#options.clock.now() };
  }

  /** Changes the secrets that sign now. Expired ones are dropped with the next change. */
  async #changeSecrets(
    owner: string,
    change: (active: readonly SigningSecret[]) => readonly SigningSecret[],
  ): Promise<readonly SigningSecret[]> {
    const secrets = await this.#secrets.change(webhooksTableKeys.secrets(owner), (all) => {
      const active = all.filter((secret) => this.#signs(secret));
      const changed = change(active);
      return changed === active ? all : changed;
    });
    return secrets.filter((secret) => this.#signs(secret));
  }

  #signs({ expiresAtMs }: SigningSecret): boolean {
    return expiresAtMs === undefined || expiresAtMs > this.#options.clock.now();
  }

  #expiry(ms: number): Record<string, number> {
    return { [expiresAt]: Math.ceil(ms / 1000) };
  }

  async #get(key: string): Promise<Item | undefined> {
    const command = new GetItemCommand({ TableName: this.#options.table, Key: keyItem(key), ConsistentRead: true });
    return (await callAws(TABLE, () => this.#options.client.send(command))).Item;
  }

  async #put(key: string, members: object): Promise<void> {
    const command = new PutItemCommand({
      TableName: this.#options.table,
      Item: { ...keyItem(key), ...toItem(members) },
    });
    await callAws(TABLE, () => this.#options.client.send(command));
  }
}

function healthKey(owner: string, url: string): string {
  return webhooksTableKeys.endpoint(owner, sha256(Buffer.from(url)));
}

function idOf(attribute: string): string {
  return attribute.slice(DELIVERY_PREFIX.length);
}

function deliveriesKey(owner: string, { object, id }: DeliveryMessage['subject']): string {
  return webhooksTableKeys.deliveries(owner, object, id);
}

function keyItem(key: string): Item {
  return { [partitionKey]: { S: key } };
}
