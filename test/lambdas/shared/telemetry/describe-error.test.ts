import { describe, expect, test } from '@jest/globals';
import { AppError } from '../../../../core/errors.ts';
import { describeError, errorCodeOf } from '../../../../lambdas/shared/telemetry/describe-error.ts';

/** An error as the AWS SDK throws it when a container fails: its message quotes what the container answered. */
function modelError(): Error {
  const error = new Error('Received client error (400) from primary with message "cannot parse: my secret"');
  error.name = 'ModelError';
  return error;
}

describe('describeError', () => {
  test('logs the cause of an error by its name only, because its message may quote the input', () => {
    const error = new AppError('INVALID_TENSOR', 'the model refused the tensors (400)', {
      param: 'inputs',
      cause: modelError(),
    });
    expect(describeError(error)).toEqual({
      message: 'the model refused the tensors (400)',
      param: 'inputs',
      cause: 'ModelError',
      frames: undefined,
    });
  });

  test('logs an error of a library like an unexpected failure with that error as its cause', () => {
    const cause = modelError();
    const wrapped = new AppError('INTERNAL', 'unexpected failure', { cause });
    expect(describeError(cause)).toEqual(describeError(wrapped));
    expect(describeError(cause)).toMatchObject({ message: 'unexpected failure', cause: 'ModelError' });
    expect(JSON.stringify(describeError(cause))).not.toContain('secret');
    expect(JSON.stringify(describeError(cause).frames)).toContain('describe-error.test');
  });

  test('logs no line of a message as a call frame', () => {
    const { frames } = describeError(new TypeError('bad text:\n    at my secret (file:///secret.js:1:1)\nat secret'));
    expect(frames?.length).toBeGreaterThan(0);
    expect(JSON.stringify(frames)).not.toContain('secret');
  });

  test('logs no call frames when the message was changed after the error was created', () => {
    const error = new Error('unused');
    error.stack = 'Error: \n    at my secret';
    error.message = 'changed';
    expect(describeError(error).frames).toBeUndefined();
  });

  test.each([undefined, null, 'my secret', { message: 'my secret' }])(
    'logs nothing about %j but that it failed',
    (thrown) => {
      expect(JSON.parse(JSON.stringify(describeError(thrown)))).toEqual({ message: 'unexpected failure' });
    },
  );
});

describe('errorCodeOf', () => {
  test('is the code of this product’s errors, and INTERNAL for all others', () => {
    expect(errorCodeOf(new AppError('TIMEOUT', 'too slow'))).toBe('TIMEOUT');
    expect(errorCodeOf(modelError())).toBe('INTERNAL');
  });
});
