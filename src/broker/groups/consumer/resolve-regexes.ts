/**
 * Finds the topics that the expressions of a consumer group match, beside the requests. I/O thread.
 */

import type { ConsumerRun } from './consumer-run.ts';

/** Looks for the topics where that is due. `isNeeded`: an expression has come that was not there before. */
export function considerResolving(_run: ConsumerRun, _isNeeded: boolean): void {}
