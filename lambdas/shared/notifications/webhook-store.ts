import {
  DeleteItemCommand,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { type Clock, DAY_MS } from '../../../core/clock.ts';
import { REPEAT_WINDOW_MS } from '../../../core/jobs/job-id.ts';
import type { Delivery } from '../../../core/webhooks/delivery.ts';
import type { DeliveryMessage } from '../../../core/webhooks/delivery-message.ts';
import { type EndpointHealth, type PatientLimits, UNKNOWN } from '../../../core/webhooks/endpoint-health.ts';
import { formatSecret } from '../../../core/webhooks/signature.ts';
import { canonicalUrl } from '../../../core/webhooks/webhook-url.ts';
import { WEBHOOKS_TABLE, webhooksTableKeys } from '../../../core/webhooks/webhooks-table.ts';
import { fromItem, type Item, toItem } from '../aws/attribute-value.ts';
import { callAws } from '../aws/client-settings.ts';
import { writeIf } from '../aws/conditional-write.ts';
import { openVersionedLists, type VersionedLists } from '../aws/versioned-list.ts';
import { sha256 } from '../sha256.ts';
import { DELETED_AT, forgetDeliveries, WEBHOOKS_TABLE_NAME as TABLE } from './forget-deliveries.ts';

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
  /**
   * Creates a new secret. The previous one signs for another day. Older ones stop signing. Does nothing within 5 minutes of
   * the last rotation: a caller repeats a request whose response was lost, and its receivers know the previous secret only.
   */
  rotate(owner: string): Promise<readonly SigningSecret[]>;
  /** @param receiver - Host of the receiver. */
  health(owner: string, receiver: string): Promise<EndpointHealth>;
  /**
   * Changes the health of a receiver. If another attempt has changed it meanwhile, it starts again; a change that collides
   * every time is given up.
   *
   * @param change - Returns the same object if there is nothing to change.
   */
  changeHealth(
    owner: string,
    receiver: string,
    change: (health: EndpointHealth) => EndpointHealth,
    known?: EndpointHealth,
  ): Promise<void>;
  /** When the receiver behind a URL returned 410; undefined while it is enabled. */
  disabledAtMs(owner: string, url: string): Promise<number | undefined>;
  disable(owner: string, url: string): Promise<void>;
  enable(owner: string, url: string): Promise<void>;
  /**
   * Reserves time for an attempt at a receiver that is not quick.
   *
   * @returns The reservation; undefined if the receiver, its tenant or all tenants together have as many attempts under way
   * as the limits allow.
   */
  reserve(owner: string, receiver: string, options: ReserveOptions): Promise<Reservation | undefined>;
  deliveries(owner: string, subject: DeliveryMessage['subject']): Promise<readonly Delivery[]>;
  /** Reads the deliveries, and when their job or batch was deleted. */
  deliveryLog(owner: string, subject: DeliveryMessage['subject']): Promise<DeliveryLog>;
  /** Records a delivery, unless it is about a job or batch that was deleted since. */
  putDelivery(owner: string, subject: DeliveryMessage['subject'], delivery: Delivery): Promise<void>;
  /** Deletes the deliveries of a job or batch that was deleted, and remembers when it was. */
  forget(owner: string, subject: DeliveryMessage['subject'], deletedAtMs: number): Promise<void>;
}

/** The deliveries of events of one job or batch. */
export interface DeliveryLog {
  readonly deliveries: readonly Delivery[];
  /** When the job or batch was deleted, milliseconds since the Unix epoch. Deliveries from before are dropped. */
  readonly deletedAtMs: number | undefined;
}

/** Options of a reservation. */
export interface ReserveOptions {
  readonly limits: PatientLimits;
  /** Expected duration of the attempt in milliseconds. */
  readonly holdMs: number;
}

/** Time that is reserved for one attempt. */
export interface Reservation {
  /** Releases the time that was not needed. Time that is not released passes. */
  release(unusedMs: number): Promise<void>;
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

/** How long a replaced secret still signs. */
const OVERLAP_MS = DAY_MS;

/** How long the health of a receiver is kept after its last change. */
const HEALTH_MS = 30 * DAY_MS;

/** Attempts at a change of health that collides with other changes. */
const MAX_HEALTH_ATTEMPTS = 5;

/**
 * Prefix of the attribute of each delivery: one update can then set it, whether the item exists or not. Earlier versions
 * kept deliveries in a map `list`, which is still read.
 */
const DELIVERY_PREFIX = 'delivery/';

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
    const nowMs = this.#options.clock.now();
    return this.#changeSecrets(owner, (active) => {
      const [newest, previous] = active;
      if (newest === undefined) return [this.#newSecret()];
      const isRepeated = previous !== undefined && nowMs - newest.createdAtMs < REPEAT_WINDOW_MS;
      return isRepeated ? active : [this.#newSecret(), { ...newest, expiresAtMs: nowMs + OVERLAP_MS }];
    });
  }

  async health(owner: string, receiver: string): Promise<EndpointHealth> {
    return (await this.#readHealth(owner, receiver)).health;
  }

  async changeHealth(
    owner: string,
    receiver: string,
    change: (health: EndpointHealth) => EndpointHealth,
    known?: EndpointHealth,
  ): Promise<void> {
    if (known !== undefined && change(known) === known) return;
    for (let attempt = 0; attempt < MAX_HEALTH_ATTEMPTS; attempt++) {
      const { health, revision } = await this.#readHealth(owner, receiver);
      const changed = change(health);
      if (changed === health || (await this.#writeHealth(receiverKey(owner, receiver), changed, revision))) return;
    }
  }

  async disabledAtMs(owner: string, url: string): Promise<number | undefined> {
    const item = await this.#get(urlKey(owner, url));
    const atMs = item === undefined ? undefined : fromItem(item)['disabledAtMs'];
    return atMs === undefined ? undefined : Number(atMs);
  }

  async disable(owner: string, url: string): Promise<void> {
    const nowMs = this.#options.clock.now();
    await this.#put(urlKey(owner, url), { disabledAtMs: nowMs, ...this.#expiry(nowMs + HEALTH_MS) });
  }

  async enable(owner: string, url: string): Promise<void> {
    const { client, table } = this.#options;
    const command = new DeleteItemCommand({ TableName: table, Key: keyItem(urlKey(owner, url)) });
    await callAws(TABLE, () => client.send(command));
  }

  async reserve(owner: string, receiver: string, options: ReserveOptions): Promise<Reservation | undefined> {
    const { limits, holdMs } = options;
    const shares = [
      { key: receiverKey(owner, receiver), limit: limits.ofReceiver },
      { key: webhooksTableKeys.attempts(owner), limit: limits.ofTenant },
      { key: webhooksTableKeys.attempts(), limit: limits.ofAll },
    ];
    const taken: typeof shares = [];
    const release = async (unusedMs: number): Promise<void> => {
      await Promise.all(taken.map(({ key, limit }) => this.#release(key, Math.round(unusedMs / limit))));
    };
    for (const share of shares) {
      if (!(await this.#take(share.key, share.limit, holdMs))) {
        await release(holdMs);
        return undefined;
      }
      taken.push(share);
    }
    return { release };
  }

  async deliveries(owner: string, subject: DeliveryMessage['subject']): Promise<readonly Delivery[]> {
    return (await this.deliveryLog(owner, subject)).deliveries;
  }

  async deliveryLog(owner: string, subject: DeliveryMessage['subject']): Promise<DeliveryLog> {
    const item = await this.#get(deliveriesKey(owner, subject));
    const { list = {}, [DELETED_AT]: deletedAtMs, ...members } = item === undefined ? {} : fromItem(item);
    const own = Object.entries(members).filter(([name]) => name.startsWith(DELIVERY_PREFIX));
    const byId = { ...(list as object), ...Object.fromEntries(own.map(([name, value]) => [idOf(name), value])) };
    return {
      // Written by putDelivery only.
      deliveries: Object.values(byId as Record<string, Delivery>),
      deletedAtMs: deletedAtMs === undefined ? undefined : Number(deletedAtMs),
    };
  }

  async forget(owner: string, subject: DeliveryMessage['subject'], deletedAtMs: number): Promise<void> {
    await forgetDeliveries(this.#options, owner, subject, deletedAtMs);
  }

  async putDelivery(owner: string, subject: DeliveryMessage['subject'], delivery: Delivery): Promise<void> {
    const { client, table, clock, retentionDays } = this.#options;
    const command = new UpdateItemCommand({
      TableName: table,
      Key: keyItem(deliveriesKey(owner, subject)),
      UpdateExpression: 'SET #delivery = :delivery, #expiresAt = :expiresAt',
      ConditionExpression: 'attribute_not_exists(#deletedAt) OR #deletedAt < :createdAt',
      ExpressionAttributeNames: {
        '#delivery': `${DELIVERY_PREFIX}${delivery.id}`,
        '#expiresAt': expiresAt,
        '#deletedAt': DELETED_AT,
      },
      ExpressionAttributeValues: toItem({
        ':delivery': delivery,
        ':createdAt': delivery.createdAtMs,
        ':expiresAt': Math.ceil((clock.now() + retentionDays * DAY_MS) / 1000),
      }),
    });
    await writeIf(TABLE, async () => {
      await client.send(command);
      return undefined;
    });
  }

  async #readHealth(owner: string, receiver: string): Promise<{ health: EndpointHealth; revision: number }> {
    const item = await this.#get(receiverKey(owner, receiver));
    const { failures = 0, openUntilMs = 0, meanMs, revision = 0 } = item === undefined ? {} : fromItem(item);
    if (revision === 0) return { health: UNKNOWN, revision: 0 };
    const health = {
      failures: Number(failures),
      openUntilMs: Number(openUntilMs),
      meanMs: meanMs === undefined ? undefined : Number(meanMs),
    };
    return { health, revision: Number(revision) };
  }

  async #writeHealth(
    key: string,
    { failures, openUntilMs, meanMs }: EndpointHealth,
    revision: number,
  ): Promise<boolean> {
    const { table, clock } = this.#options;
    const command = new UpdateItemCommand({
      TableName: table,
      Key: keyItem(key),
      UpdateExpression: `SET failures = :failures, openUntilMs = :openUntilMs, #revision = :next, #expiresAt = :expiresAt${meanMs === undefined ? '' : ', meanMs = :meanMs'}`,
      ConditionExpression: 'attribute_not_exists(#revision) OR #revision = :revision',
      ExpressionAttributeNames: { '#revision': 'revision', '#expiresAt': expiresAt },
      ExpressionAttributeValues: toItem({
        ':failures': failures,
        ':openUntilMs': openUntilMs,
        ...(meanMs === undefined ? {} : { ':meanMs': Math.round(meanMs) }),
        ':revision': revision,
        ':next': revision + 1,
        ':expiresAt': Math.ceil((clock.now() + HEALTH_MS) / 1000),
      }),
    });
    return this.#writes(command);
  }

  /**
   * Takes one of `limit` places for `holdMs`, if one is free. `busyUntilMs` is when all places are free again if attempts
   * follow each other at the rate that they allow (generic cell rate algorithm). A place that is never released is free
   * once its time has passed, so a function that is killed blocks nothing.
   */
  async #take(key: string, limit: number, holdMs: number): Promise<boolean> {
    const { table, clock } = this.#options;
    const nowMs = clock.now();
    const shareMs = Math.round(holdMs / limit);
    const command = (update: string, condition: string, values: object): UpdateItemCommand =>
      new UpdateItemCommand({
        TableName: table,
        Key: keyItem(key),
        UpdateExpression: `SET busyUntilMs = ${update}, #expiresAt = :expiresAt`,
        ConditionExpression: condition,
        ExpressionAttributeNames: { '#expiresAt': expiresAt },
        ExpressionAttributeValues: toItem({
          ...values,
          ':now': nowMs,
          ':expiresAt': Math.ceil((nowMs + HEALTH_MS) / 1000),
        }),
      });
    const first = command(':until', 'attribute_not_exists(busyUntilMs) OR busyUntilMs <= :now', {
      ':until': nowMs + shareMs,
    });
    if (await this.#writes(first)) return true;
    if (limit === 1) return false;
    const latestMs = nowMs + holdMs - shareMs;
    const further = command('busyUntilMs + :share', 'busyUntilMs > :now AND busyUntilMs <= :latest', {
      ':share': shareMs,
      ':latest': latestMs,
    });
    return this.#writes(further);
  }

  async #release(key: string, ms: number): Promise<void> {
    const { table } = this.#options;
    const command = new UpdateItemCommand({
      TableName: table,
      Key: keyItem(key),
      UpdateExpression: 'SET busyUntilMs = busyUntilMs - :ms',
      ConditionExpression: 'attribute_exists(busyUntilMs)',
      ExpressionAttributeValues: toItem({ ':ms': ms }),
    });
    await this.#writes(command);
  }

  /** @returns Whether the condition was met. */
  async #writes(command: UpdateItemCommand): Promise<boolean> {
    const { isDone } = await writeIf(TABLE, async () => (await this.#options.client.send(command)).Attributes);
    return isDone;
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

function receiverKey(owner: string, receiver: string): string {
  return webhooksTableKeys.receiver(owner, sha256(Buffer.from(receiver)));
}

function urlKey(owner: string, url: string): string {
  return webhooksTableKeys.endpoint(owner, sha256(Buffer.from(canonicalUrl(url))));
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
