/**
 * Which way a worker's groups go into their files: through the page cache, or past it, straight to the disk. Flush
 * thread, one per worker; pure but for its clock. It writes nothing; see `direct-file.ts`.
 *
 *   group ──small, or most of it not to be synced──► page cache
 *     └────large──► whichever way takes less time a byte; now and then the other one, in order to know
 *
 * 1. A group of which most is not to be synced goes through the cache: past it the worker would wait for a disk that nobody else waits for, and
 *    a block that both ways share makes it wait for the flush of all that the disk was given before, up to 100 ms.
 * 2. Groups of at least 256 KiB go the way that took less time a byte; every 64th goes the other way, the more seldom
 *    the slower that was.
 * 3. While the worker syncs each group itself (`syncs-in-place.ts`) the sync is part of a group's time: past the cache it has
 *    next to nothing left to do. Else it is not, because it goes on beside the next groups. Each is measured for itself.
 * 4. A disk that is slower than memory so has its bursts taken up by the page cache.
 * 5. Where the file system refuses, everything goes through the cache.
 *
 * What makes the page cache the slower way is memory that the machine has to fetch first: in a virtual machine whose free
 * memory went back to its host, a fresh page costs many times what one does that it still had (`bench:load -- stages`).
 */

/** As `millrace.direct.writes` has it. */
export type DirectWriting = 'auto' | 'always' | 'never';

export type Way = 'cached' | 'direct';

/** Below, a disk's own latency outweighs what the page cache costs. */
const largeGroupBytes = 256 * 1024;
const groupsBetweenTries = 64;
const mostGroupsBetweenTries = 4096;
/** The weight of the newest measurement. */
const weight = 1 / 8;

export class WayOfWriting {
  readonly nowMs: () => number;
  /** Whether this thread does syncs itself at present. */
  syncsInPlace = false;
  readonly #mode: DirectWriting;
  readonly #leastBytes: number;
  readonly #alone = new MeasuredWays();
  readonly #withSync = new MeasuredWays();
  /** The group that was written last, where its sync is to be counted. */
  #unsynced: { readonly way: Way; readonly groupBytes: number; readonly ms: number } | null = null;
  #isRefused = false;

  /** `leastBytes`: groups that are smaller go through the page cache. */
  constructor(mode: DirectWriting, nowMs: () => number, leastBytes = mode === 'auto' ? largeGroupBytes : 1) {
    this.#mode = mode;
    this.nowMs = nowMs;
    this.#leastBytes = leastBytes;
  }

  /** Whether a group of `groupBytes` may go either way. `isSynced`: most of it is to be synced. */
  isOpen(groupBytes: number, isSynced: boolean): boolean {
    if (this.#isRefused || this.#mode === 'never' || groupBytes < this.#leastBytes) return false;
    return isSynced || this.#mode === 'always';
  }

  /** The way for a group of `groupBytes`; `isSynced` as for `isOpen`. */
  of(groupBytes: number, isSynced: boolean): Way {
    if (!this.isOpen(groupBytes, isSynced)) return 'cached';
    if (this.#mode === 'always') return 'direct';
    return (this.syncsInPlace ? this.#withSync : this.#alone).choose();
  }

  /** A group of `groupBytes` took `ms` milliseconds; only one that might have gone either way tells anything. */
  took(way: Way, groupBytes: number, isSynced: boolean, ms: number): void {
    this.#unsynced = null;
    if (!this.isOpen(groupBytes, isSynced)) return;
    if (this.syncsInPlace) this.#unsynced = { way, groupBytes, ms };
    else this.#alone.learn(way, ms / groupBytes);
  }

  /** This thread synced what was written last, in `ms` milliseconds. */
  syncTook(ms: number): void {
    const group = this.#unsynced;
    if (group !== null) this.#withSync.learn(group.way, (group.ms + ms) / group.groupBytes);
    this.#unsynced = null;
  }

  /** The file system takes no writes past the page cache. */
  refused(): void {
    this.#isRefused = true;
  }
}

/** What each way took of late, and which is the better one. */
class MeasuredWays {
  readonly #msPerByte: Record<Way, number | null> = { cached: null, direct: null };
  #groupsUntilTry = groupsBetweenTries;

  choose(): Way {
    const { cached, direct } = this.#msPerByte;
    if (direct === null) return 'direct';
    if (cached === null) return 'cached';
    const isDirectBetter = direct <= cached;
    const better: Way = isDirectBetter ? 'direct' : 'cached';
    if (--this.#groupsUntilTry > 0) return better;
    const slowness = Math.max(direct, cached) / Math.max(Math.min(direct, cached), Number.MIN_VALUE);
    this.#groupsUntilTry = Math.min(Math.ceil(groupsBetweenTries * slowness), mostGroupsBetweenTries);
    return isDirectBetter ? 'cached' : 'direct';
  }

  learn(way: Way, msPerByte: number): void {
    const before = this.#msPerByte[way];
    this.#msPerByte[way] = before === null ? msPerByte : before + (msPerByte - before) * weight;
  }
}
