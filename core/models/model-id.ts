/** Model ids: the name in URLs, and the name of the model's folder. */
export const MODEL_ID_PATTERN = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;

/** Ids of constructs that the AWS CDK creates below every path of an API, and the id that it leaves out of logical ids. */
const RESERVED_IDS = ['ANY', 'DELETE', 'Default', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'Resource'];

/** Returns whether the AWS CDK cannot give a construct this id: it keeps constructs as members of a plain object. */
export function isReservedModelId(id: string): boolean {
  return RESERVED_IDS.includes(id) || id in Object.prototype;
}

const PLAIN_ID = /^[a-z0-9-]+$/;

/**
 * Returns whether an id has lower-case letters, digits and hyphens only. Such an id can be part of every name on AWS as it is.
 * Others cannot: SageMaker allows neither `_` nor `.`, and compares names without regard to case.
 */
export function isPlainModelId(id: string): boolean {
  return PLAIN_ID.test(id);
}
