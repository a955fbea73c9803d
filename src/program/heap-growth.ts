/**
 * How V8's space for new objects grows in a process that is the broker's own. Main thread.
 *
 *   space for new objects ─ full: what lives is copied ─► another of the same size ─ and again ─► space for old objects
 *
 * V8 begins with spaces for new objects of 1 MiB and doubles them, up to 16 MiB each, whenever as much has survived since the last
 * time as one holds. What a request leaves behind is garbage once it is answered, but a thousand of them in flight are more
 * than a small space holds: all of it is copied, twice, and ends among the old objects, whose marking then never ends. That was half
 * of the processor's time with single records over a hundred connections. So the first time that a space of theirs is too small it grows to
 * the most at once: a broker under load has its memory soon after its start, and one that idles takes it seldom.
 * The space for old objects is left to V8: bound to half or to as much again as lives in it, it was marked several times a second.
 *
 * It is a flag of V8's, for all threads that there are and will be; the flush workers' spaces have bounds of their own.
 */

import { createRequire } from 'node:module';
import type { Clock } from '../base/clock.ts';

/**
 * Once a flag is another than at the start, V8 takes none of the code that Node and `load-program.ts` keep of scripts:
 * by then what a broker needs has been loaded, and the script's code kept.
 */
const changedAfterMs = 2000;
const flag = '--semi-space-growth-factor=16';

/** Has the space for new objects grow to the most at once, from a moment on. */
export function growHeapAtOnce(clock: Clock): void {
  clock.setTimer(changedAfterMs, () => {
    const v8 = createRequire(import.meta.url)('node:v8') as typeof import('node:v8');
    v8.setFlagsFromString(flag);
  });
}
