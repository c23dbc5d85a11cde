import { type AwsJson, openAwsJson } from './aws-json.ts';
import { type SignedSettings, signedSettings } from './signed-settings.ts';

/** An attribute of an item, in the types that the results table has. */
export interface WireAttribute {
  readonly S?: string;
  /** Decimal digits. */
  readonly N?: string;
  /** Base64. */
  readonly B?: string;
}

/** An item as DynamoDB's JSON protocol writes it. */
export type WireItem = Readonly<Record<string, WireAttribute>>;

/** A DynamoDB client on its JSON protocol, small enough for a cold start (docs/adr/009-lean-dynamodb-client.md). */
export type DynamoDb = AwsJson;

/** Reads where DynamoDB is, and the credentials of the function. */
export function dynamoDbSettings(variables: Readonly<Record<string, string | undefined>>): SignedSettings {
  return signedSettings(variables, 'dynamodb');
}

/**
 * Opens a client. Its first call reads the settings and makes the connection, which is then kept.
 *
 * @param settings - Reads the settings; if it throws, the call rejects and the next one reads them again.
 */
export function openDynamoDb(settings: () => SignedSettings): DynamoDb {
  return openAwsJson({ service: 'dynamodb', apiVersion: 'DynamoDB_20120810', protocol: '1.0' }, settings);
}
