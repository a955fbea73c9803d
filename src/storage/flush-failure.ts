/**
 * What a failure of the disk is called where it crosses the threads. Any thread.
 * A defect is no failure of the disk and has no name here.
 */

import { systemErrorCode } from '../base/environment-error.ts';
import { FlushFailure } from '../memory/flush-messages.ts';

/** The failure for a file system's error, or null for anything else, which is a defect and to be thrown on. */
export function flushFailureOf(error: unknown): FlushFailure | null {
  switch (systemErrorCode(error)) {
    case null:
      return null;
    case 'ENOSPC':
    case 'EDQUOT':
      return FlushFailure.NO_SPACE;
    case 'EIO':
      return FlushFailure.IO;
    default:
      return FlushFailure.OTHER;
  }
}
