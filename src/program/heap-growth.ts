/**
 * How much memory V8's heaps take beyond what lives, in a process that is the broker's own. Main thread.
 *
 *   space for new objects ─ full: what lives is copied ─► another of the same size ─ and again ─► space for old objects
 *                                                                                    └ grown by a half: marked and swept
 *
 * V8 doubles both spaces for new objects, up to 16 MiB each, whenever as much has survived since the last time as one holds, and lets
 * that for old ones grow to as much as four times what lives. What requests leave behind has died by the next collection, but of
 * each some survives that is just in use: so a broker under load takes more memory for hours, and does not work less for it. Here the
 * first stay as they are a moment after the start, and the second is collected sooner, which is still seldom.
 *
 * Both are flags of V8's, for all threads that there are and will be. Versions of V8 that want to double at least go on to do so.
 */

import { createRequire } from 'node:module';
import type { Clock } from '../base/clock.ts';

/**
 * Once the flags are others than those at the start, V8 takes none of the code that Node and `load-program.ts` keep of scripts:
 * by then what a broker needs has been loaded, and the script's code kept.
 */
const boundAfterMs = 2000;
const flags = ['--semi-space-growth-factor=1', '--heap-growing-percent=50'];

/** Has the heaps of all threads grow less, from a moment on. */
export function boundHeapGrowth(clock: Clock): void {
  clock.setTimer(boundAfterMs, () => {
    const v8 = createRequire(import.meta.url)('node:v8') as typeof import('node:v8');
    for (const flag of flags) v8.setFlagsFromString(flag);
  });
}
