/**
 * Cuts one connection's byte stream into size-prefixed frames, however the bytes arrive. I/O thread.
 *
 *   stream   | size int32 BE | size bytes: the frame | size | frame | ...
 *
 *   chunk in the door's read buffer      complete frames: handed out as views of the chunk, no copy
 *   its tail, an incomplete frame        copied to a leased buffer that grows as bytes arrive, up to 4 + size
 *   the rest of that frame, if large     read into that buffer by the door itself, no copy (`readTarget`)
 *   frames that the consumer refused     copied likewise, offered again on `resume`
 *
 * A size claimed is never allocated: memory follows the bytes that came, within the shared budget.
 * It does not look into frames, and it does not know sockets: the caller stops and starts reading by what
 * `push` and `resume` return.
 */

import { assert } from '../base/assert.ts';
import type { AssemblyBudget, BudgetHolder } from './assembly-budget.ts';

/** What the caller does next. */
export type AssemblyState =
  /** Read on. */
  | 'reading'
  /** The consumer refused a frame: stop reading until `resume` returns `reading`. */
  | 'held'
  /** The budget is used up: stop reading until the owner's `readingMayGoOn` is called. */
  | 'waiting'
  /** Close the connection; `problem` says why. */
  | 'broken';

export interface AssemblyOwner {
  /**
   * Takes one frame, without its size prefix; the view ends with this call. False refuses it: it is kept and offered
   * again on `resume`.
   */
  take(frame: Uint8Array): boolean;
  /** The state `waiting` has ended. */
  readingMayGoOn(): void;
  /** The connection must be closed to free memory that others wait for. */
  mustEnd(reason: string): void;
}

const prefixBytes = 4;
const smallestLeaseBytes = 1024;
/** From so many bytes of a frame on its buffer grows fourfold: copying costs more than memory that is given back soon. */
const largeFrameBytes = 64 * 1024;
/** A read of its own is not worth it for less. */
const smallestTargetBytes = 16 * 1024;
const nothing = new Uint8Array();

/** The int32, big endian, at `at`; the caller has checked that four bytes are there. */
function sizeAt(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}

export class FrameAssembler implements BudgetHolder {
  readonly #owner: AssemblyOwner;
  readonly #budget: AssemblyBudget;
  readonly #largestFrameBytes: number;
  #state: AssemblyState = 'reading';
  #problem: string | null = null;
  /** Kept bytes are [#keptStart, #keptEnd) of this leased buffer and begin with a size prefix. */
  #kept: Uint8Array | null = null;
  #keptStart = 0;
  #keptEnd = 0;
  #closed = false;

  /** `largestFrameBytes` is `socket.request.max.bytes`: a frame that claims more breaks the connection. */
  constructor(owner: AssemblyOwner, budget: AssemblyBudget, largestFrameBytes: number) {
    this.#owner = owner;
    this.#budget = budget;
    this.#largestFrameBytes = largestFrameBytes;
  }

  get state(): AssemblyState {
    return this.#state;
  }

  /** Why the state is `broken`, as a sentence's end: "the frame ..."; null otherwise. */
  get problem(): string | null {
    return this.#problem;
  }

  /** Bytes that wait here for the rest of their frame or for the consumer. */
  get keptBytes(): number {
    return this.#keptEnd - this.#keptStart;
  }

  get awaitsPeer(): boolean {
    return this.#kept !== null && this.#state !== 'held';
  }

  /** Takes the stream's next bytes, which are only looked at during this call. */
  push(chunk: Uint8Array): AssemblyState {
    if (this.#closed || this.#state === 'broken' || chunk.length === 0) return this.#state;
    // A door that cannot stop its peer at once (WebSocket) still brings bytes here: they queue.
    if (this.#state === 'held') return this.#keep(chunk, 0);
    let at = 0;
    if (this.#kept !== null) {
      at = this.#completeKept(chunk);
      if (this.#state !== 'reading' && this.#state !== 'waiting') {
        return this.#state === 'held' ? this.#keep(chunk, at) : this.#state;
      }
      if (this.#kept !== null) return this.#settle();
    }
    at = this.#cut(chunk, at, chunk.length);
    return at < chunk.length ? this.#keep(chunk, at) : this.#settle();
  }

  /**
   * Where the door may read the next bytes to, which all belong to the frame that is being completed; null where it reads
   * into a buffer of its own. Valid until bytes come, whichever way: `filled` tells of those that came here.
   */
  get readTarget(): Uint8Array | null {
    const kept = this.#kept;
    if (kept === null || this.#state !== 'reading' || this.keptBytes < prefixBytes) return null;
    const lacking = prefixBytes + sizeAt(kept, this.#keptStart) - this.keptBytes;
    const end = Math.min(kept.length, this.#keptEnd + lacking);
    return end - this.#keptEnd < smallestTargetBytes ? null : kept.subarray(this.#keptEnd, end);
  }

  /** The stream's next `byteCount` bytes were read into the `readTarget`. */
  filled(byteCount: number): AssemblyState {
    if (this.#closed || this.#state === 'broken') return this.#state;
    assert(
      this.#kept !== null && this.#keptEnd + byteCount <= this.#kept.length,
      'a target is filled while it is valid',
    );
    this.#keptEnd += byteCount;
    this.#completeKept(nothing);
    return this.#settle();
  }

  /** Offers refused frames again, and those behind them. */
  resume(): AssemblyState {
    if (this.#closed || this.#state !== 'held') return this.#state;
    this.#state = 'reading';
    if (this.#kept === null) return this.#settle();
    const at = this.#cut(this.#kept, this.#keptStart, this.#keptEnd);
    // Within `take` the owner may have closed this, and a wrong size breaks it: then nothing is kept any more.
    if (this.#kept !== null) {
      this.#keptStart = at;
      if (at === this.#keptEnd) this.#letGo();
    }
    return this.#settle();
  }

  /** Gives all memory back; nothing is handed out afterwards. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#letGo();
    this.#budget.leave(this);
  }

  roomMade(): void {
    if (this.#closed || this.#state !== 'waiting') return;
    this.#state = 'reading';
    this.#owner.readingMayGoOn();
  }

  evicted(): void {
    // Where it is the broker that does not take the frame, the client is not to blame: the favour goes to another.
    if (this.#state === 'held') return this.#budget.leave(this);
    this.#owner.mustEnd('a request came too slowly while other connections waited for memory');
  }

  displaced(): void {
    this.#owner.mustEnd('it sent further ahead than any other while the memory for requests was used up');
  }

  /** Hands out the complete frames of [at, end); returns the position after the last one taken. */
  #cut(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    while (!this.#closed && end - at >= prefixBytes) {
      const size = sizeAt(bytes, at);
      if (!this.#checkSize(size)) return at;
      const frameEnd = at + prefixBytes + size;
      if (frameEnd > end) return at;
      if (!this.#owner.take(bytes.subarray(at + prefixBytes, frameEnd))) {
        if (!this.#closed) this.#state = 'held';
        return at;
      }
      at = frameEnd;
    }
    return at;
  }

  #checkSize(size: number): boolean {
    if (size > 0 && size <= this.#largestFrameBytes) return true;
    this.#break(
      size > this.#largestFrameBytes
        ? `a frame claims ${size} bytes, more than socket.request.max.bytes=${this.#largestFrameBytes}`
        : `a frame claims ${size} bytes`,
    );
    return false;
  }

  #break(problem: string): void {
    if (this.#closed) return;
    this.#state = 'broken';
    this.#problem = problem;
    this.#letGo();
    this.#budget.leave(this);
  }

  /** Adds to the kept frame what it lacks; hands it out when whole. Returns how much of `chunk` it took. */
  #completeKept(chunk: Uint8Array): number {
    let at = 0;
    while (this.#kept !== null) {
      const have = this.keptBytes;
      let wanted = prefixBytes;
      if (have >= prefixBytes) {
        const size = sizeAt(this.#kept, this.#keptStart);
        if (!this.#checkSize(size)) return at;
        wanted = prefixBytes + size;
        if (have === wanted) {
          const frame = this.#kept.subarray(this.#keptStart + prefixBytes, this.#keptEnd);
          if (this.#owner.take(frame)) {
            if (!this.#closed) this.#letGo();
          } else if (!this.#closed) this.#state = 'held';
          return at;
        }
      }
      if (at === chunk.length) return at;
      const count = Math.min(wanted - have, chunk.length - at);
      if (!this.#append(chunk, at, at + count, wanted)) return at;
      at += count;
    }
    return at;
  }

  /** Keeps `chunk` from `start` on. */
  #keep(chunk: Uint8Array, start: number): AssemblyState {
    if (this.#closed || this.#state === 'broken') return this.#state;
    if (start < chunk.length) {
      // While frames are refused others come behind them; else this is the beginning of the only one.
      const isKnown = this.#state !== 'held' && chunk.length - start >= prefixBytes;
      const wantedBytes = isKnown ? prefixBytes + sizeAt(chunk, start) : Number.POSITIVE_INFINITY;
      this.#append(chunk, start, chunk.length, wantedBytes);
    }
    return this.#settle();
  }

  /** Copies [start, end) of `chunk` behind what is kept. `wantedBytes`: no more than this will be kept in one piece. */
  #append(chunk: Uint8Array, start: number, end: number, wantedBytes: number): boolean {
    const have = this.keptBytes;
    const needed = have + end - start;
    const kept = this.#kept;
    if (kept === null || kept.length < needed) {
      // Growing by a factor keeps copying linear; the claim bounds it, as no byte behind this frame goes into the same buffer.
      const factor = needed < largeFrameBytes ? 2 : 4;
      const generous = Math.max(
        smallestLeaseBytes,
        needed,
        (kept?.length ?? (wantedBytes === Number.POSITIVE_INFINITY ? 0 : needed)) * factor,
      );
      const grown = this.#budget.lease(this, Math.max(needed, Math.min(generous, wantedBytes)), kept?.length ?? 0);
      if (grown === null) {
        this.#break('the memory for incomplete requests is used up');
        return false;
      }
      if (kept !== null) {
        grown.set(kept.subarray(this.#keptStart, this.#keptEnd));
        this.#budget.release(this, kept);
      }
      this.#kept = grown;
      this.#keptStart = 0;
      this.#keptEnd = have;
    } else if (kept.length - this.#keptEnd < end - start) {
      kept.copyWithin(0, this.#keptStart, this.#keptEnd);
      this.#keptStart = 0;
      this.#keptEnd = have;
    }
    assert(this.#kept !== null, 'there is a buffer to append to');
    this.#kept.set(chunk.subarray(start, end), this.#keptEnd);
    this.#keptEnd += end - start;
    return true;
  }

  /** Decides between `reading` and `waiting` once a chunk has been dealt with. */
  #settle(): AssemblyState {
    if (this.#closed || this.#state === 'broken' || this.#state === 'held') return this.#state;
    if (this.#kept === null || this.#budget.mayRead(this)) {
      this.#state = 'reading';
    } else if (this.#state !== 'waiting') {
      this.#state = 'waiting';
      this.#budget.wait(this);
    }
    return this.#state;
  }

  #letGo(): void {
    const kept = this.#kept;
    if (kept === null) return;
    this.#kept = null;
    this.#keptStart = 0;
    this.#keptEnd = 0;
    this.#budget.release(this, kept);
    this.#budget.leave(this);
  }
}
