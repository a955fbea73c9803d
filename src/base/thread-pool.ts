/**
 * libuv's threads, which the process has once for all calls of the file system that nobody waits for in place: syncs and
 * reads above all. Their number is settled by their first use; the program asks for more than the four there are by
 * default (`main-entry.ts`), a process that embeds a broker decides for itself. Any thread.
 */

export const threadPoolSetting = 'UV_THREADPOOL_SIZE';
/** What the program asks for: a disk shares what it does for so many syncs, and they mostly sleep. */
export const threadPoolSize = 16;

const defaultSize = 4;
const largestSize = 1024;
const partForSyncs = 0.75;

/** How many syncs may be under way at once in a process whose setting is `setting`, so that reads have a thread as well. */
export function syncsAtOnce(setting: string | undefined): number {
  const asked = Number.parseInt(setting ?? '', 10);
  const size = Number.isNaN(asked) ? defaultSize : Math.min(Math.max(asked, 1), largestSize);
  return Math.max(Math.floor(size * partForSyncs), 1);
}
