/**
 * The one class for failures of the environment: disk, sockets, memory, a missing native part. Any thread.
 * Protocol outcomes are `ErrorCode` values that are returned, and defects are assertions; neither comes here.
 */

export const EnvironmentErrorCode = {
  DATA_DIRECTORY_UNWRITABLE: 'DATA_DIRECTORY_UNWRITABLE',
  DATA_DIRECTORY_FOREIGN: 'DATA_DIRECTORY_FOREIGN',
  DATA_DIRECTORY_NEWER: 'DATA_DIRECTORY_NEWER',
  DATA_DIRECTORY_IN_USE: 'DATA_DIRECTORY_IN_USE',
  DATA_CORRUPT: 'DATA_CORRUPT',
  DISK_FULL: 'DISK_FULL',
  IO_FAILED: 'IO_FAILED',
  ADDRESS_IN_USE: 'ADDRESS_IN_USE',
  ADDRESS_UNAVAILABLE: 'ADDRESS_UNAVAILABLE',
  NATIVE_PART_MISSING: 'NATIVE_PART_MISSING',
  CONFIG_INVALID: 'CONFIG_INVALID',
  CLOSED: 'CLOSED',
} as const;

export type EnvironmentErrorCode = (typeof EnvironmentErrorCode)[keyof typeof EnvironmentErrorCode];

/** A failure of the environment. The message says what was wrong, with which value, and what to do. */
export class EnvironmentError extends Error {
  override readonly name = 'EnvironmentError';
  readonly code: EnvironmentErrorCode;

  constructor(code: EnvironmentErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

/** The `code` of a Node system error such as `ENOSPC`, or null where `error` carries none. */
export function systemErrorCode(error: unknown): string | null {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return null;
}
