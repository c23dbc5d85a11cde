import { describeValue } from '../../describe-value.ts';
import { AppError } from '../../errors.ts';
import { type JsonObject, readObject, refuseUnknownMembers } from '../../json/json-object.ts';

/** The name of a model's only signature, which clients of TensorFlow Serving send. */
const SIGNATURE_NAME = 'serving_default';

/**
 * Reads the body of a predict request, in the row format of TensorFlow Serving's REST API.
 *
 * @param members - Members that the task knows.
 * @throws AppError `INVALID_BODY` for other members, `INVALID_PARAMETER` for another signature than the usual one.
 */
export function readPredictBody(body: unknown, members: readonly string[]): JsonObject {
  const object = readObject(body, 'body');
  const param = 'signature_name';
  refuseUnknownMembers(object, [...members, param], 'body');
  const signature = object[param];
  if (signature === undefined || signature === SIGNATURE_NAME) return object;
  const message = `${param} must be absent or ${SIGNATURE_NAME}, because a model has one signature, got ${describeValue(signature)}`;
  throw new AppError('INVALID_PARAMETER', message, { param });
}
