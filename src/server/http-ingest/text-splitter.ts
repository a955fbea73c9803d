/**
 * Cuts a stream of JSON texts into whole ones, wherever its chunks end: at newlines (NDJSON), or where each object ends
 * (concatenated JSON). I/O thread. What is cut short by a chunk is kept, up to a bound for each and one for all; all else
 * is given without a copy. Whoever is done with a splitter clears it.
 * It does not check the texts: see json/json-scanner.ts.
 */

import { assert } from '../../base/assert.ts';

const newline = 0x0a;
const firstCapacityBytes = 4096;
/** A buffer that grew beyond this is given up once it is empty, in bytes. */
const keptCapacityBytes = 64 * 1024;

/** Gives `[start, end)` of `bytes`, gone after the call. False: give no more. */
export type TakeText = (bytes: Uint8Array, start: number, end: number) => boolean;

/** What all who keep bytes may take together. */
export interface SharedRoom {
  /** Takes `sizeBytes` of it; false where there are not as many. */
  keep(sizeBytes: number): boolean;
  giveUp(sizeBytes: number): void;
}

/** The beginning of a text that a chunk cut short. */
class Kept {
  /** Where `add` gave false: all together keep too much, rather than this one. */
  lacksRoom = false;
  readonly #limitBytes: number;
  readonly #room: SharedRoom;
  #bytes = new Uint8Array(0);
  #size = 0;

  constructor(limitBytes: number, room: SharedRoom) {
    this.#limitBytes = limitBytes;
    this.#room = room;
  }

  get size(): number {
    return this.#size;
  }

  /** False where it would be too much. */
  add(bytes: Uint8Array, start: number, end: number): boolean {
    const size = this.#size + end - start;
    if (size > this.#limitBytes) return false;
    if (size > this.#bytes.length) {
      const capacity = Math.max(firstCapacityBytes, size, Math.min(this.#limitBytes, this.#bytes.length * 2));
      if (!this.#room.keep(capacity - this.#bytes.length)) {
        this.lacksRoom = true;
        return false;
      }
      const larger = new Uint8Array(capacity);
      larger.set(this.#bytes.subarray(0, this.#size));
      this.#bytes = larger;
    }
    this.#bytes.set(bytes.subarray(start, end), this.#size);
    this.#size = size;
    return true;
  }

  /** What was kept; it is empty from here on, the bytes stay until the next `add`. */
  take(): Uint8Array {
    const taken = this.#bytes.subarray(0, this.#size);
    this.#size = 0;
    if (this.#bytes.length > keptCapacityBytes) this.clear();
    return taken;
  }

  clear(): void {
    this.#room.giveUp(this.#bytes.length);
    this.#bytes = new Uint8Array(0);
    this.#size = 0;
  }
}

/** Cuts at newlines: `take` gets one or more whole lines at once. */
export class LineSplitter {
  readonly #kept: Kept;
  readonly #take: TakeText;

  constructor(longestLineBytes: number, room: SharedRoom, take: TakeText) {
    this.#kept = new Kept(longestLineBytes, room);
    this.#take = take;
  }

  /** Where `chunk` gave false: all together keep too much. */
  get lacksRoom(): boolean {
    return this.#kept.lacksRoom;
  }

  /** Keeps nothing any more; nothing may follow. */
  clear(): void {
    this.#kept.clear();
  }

  /** False where a line is too long, or `lacksRoom`; nothing may follow. */
  chunk(bytes: Uint8Array): boolean {
    let start = 0;
    if (this.#kept.size > 0) {
      const end = bytes.indexOf(newline) + 1;
      if (end === 0) return this.#kept.add(bytes, 0, bytes.length);
      if (!this.#kept.add(bytes, 0, end)) return false;
      const line = this.#kept.take();
      if (!this.#take(line, 0, line.length)) return true;
      start = end;
    }
    const end = bytes.lastIndexOf(newline) + 1;
    if (end > start && !this.#take(bytes, start, end)) return true;
    return this.#kept.add(bytes, Math.max(start, end), bytes.length);
  }

  /** The stream is over; a last line needs no newline. */
  end(): void {
    const line = this.#kept.take();
    if (line.length > 0) this.#take(line, 0, line.length);
  }
}

/** Cuts where each object ends: `take` gets one at a time. White space between them is passed over. */
export class ObjectSplitter {
  /** Where `chunk` gave false: something else than an object began, rather than too long a one. */
  notAnObject = false;
  readonly #kept: Kept;
  readonly #take: TakeText;
  #depth = 0;
  #inString = false;
  #escaped = false;

  constructor(longestTextBytes: number, room: SharedRoom, take: TakeText) {
    this.#kept = new Kept(longestTextBytes, room);
    this.#take = take;
  }

  /** Where `chunk` gave false: all together keep too much. */
  get lacksRoom(): boolean {
    return this.#kept.lacksRoom;
  }

  /** Keeps nothing any more; nothing may follow. */
  clear(): void {
    this.#kept.clear();
  }

  /** Whether an object was begun and is not whole. */
  get isWithin(): boolean {
    return this.#depth > 0;
  }

  /** False where a text is too long or is no object, or `lacksRoom`; nothing may follow. */
  chunk(bytes: Uint8Array): boolean {
    let start = 0;
    let at = 0;
    while (at < bytes.length) {
      if (this.#depth === 0) {
        if (bytes[at]! <= 0x20) {
          at++;
          continue;
        }
        if (bytes[at] !== 0x7b) {
          this.notAnObject = true;
          return false;
        }
        start = at;
      }
      at = this.#pass(bytes, at);
      if (this.#depth > 0) break;
      if (this.#kept.size === 0) {
        if (!this.#take(bytes, start, at)) return true;
      } else {
        if (!this.#kept.add(bytes, 0, at)) return false;
        const whole = this.#kept.take();
        if (!this.#take(whole, 0, whole.length)) return true;
      }
    }
    return this.#depth === 0 || this.#kept.add(bytes, start, bytes.length);
  }

  /** Passes on to the end of the object, or of the chunk. */
  #pass(bytes: Uint8Array, at: number): number {
    let position = at;
    let depth = this.#depth;
    let inString = this.#inString;
    let escaped = this.#escaped;
    while (position < bytes.length) {
      const byte = bytes[position++]!;
      if (inString) {
        if (escaped) escaped = false;
        else if (byte === 0x5c) escaped = true;
        else if (byte === 0x22) inString = false;
      } else if (byte === 0x22) inString = true;
      else if (byte === 0x7b || byte === 0x5b) depth++;
      else if ((byte === 0x7d || byte === 0x5d) && --depth === 0) break;
    }
    assert(depth >= 0, 'an object begins before it ends');
    this.#depth = depth;
    this.#inString = inString;
    this.#escaped = escaped;
    return position;
  }
}
