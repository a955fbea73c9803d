/**
 * The assertion for programmers' errors: what can only be false when this code is wrong. Any thread.
 * Not for input from outside (that gets an error code) nor for failures of the environment (`EnvironmentError`).
 */

/** Raised by a failed assertion: a defect in Millrace itself. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

/**
 * Throws an `AssertionError` with `message` unless `condition` holds.
 * On hot paths pass a constant message: a template literal would be built on every call.
 */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** Returns `value`, or throws an `AssertionError` with `message` when it is null or undefined. */
export function present<T>(value: T | null | undefined, message: string): T {
  if (value === null || value === undefined) throw new AssertionError(message);
  return value;
}
