/**
 * How far V8 lets heaps grow before it looks for what is garbage in them. Of the program alone: in a process that embeds a
 * broker that is not the broker's business. I/O thread.
 *
 * By default an old heap may double and more between two collections. With many logs what lives is large, and so is what is
 * made for each of them every second and outlives the young generation: as much memory again as the logs take themselves.
 */

import { createRequire } from 'node:module';

/** With fewer, what lives is too small for it to matter. */
const manyLogs = 2000;
const flag = '--heap-growing-percent=40';

/** To be told how many logs are written; with many of them, heaps of all threads grow less from then on. */
export function boundedHeapGrowth(setFlag: (flag: string) => void = setV8Flag): (logs: number) => void {
  let isBounded = false;
  return (logs) => {
    if (isBounded || logs < manyLogs) return;
    isBounded = true;
    setFlag(flag);
  };
}

/** Loads `node:v8` when it is needed: it would take milliseconds of every start. */
function setV8Flag(text: string): void {
  const { setFlagsFromString } = createRequire(import.meta.url)('node:v8') as typeof import('node:v8');
  setFlagsFromString(text);
}
