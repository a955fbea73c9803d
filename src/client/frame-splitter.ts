/**
 * Cuts a byte stream into frames. Any thread. One object a connection.
 *
 *   frame: i32 size (big-endian) │ size bytes
 *
 * A frame that lies whole in one chunk is a view of it; one that does not is kept as the chunks it came in and joined
 * once it is there, so that a size that lies makes nobody reserve anything.
 */

import { readInt32 } from '../records/big-endian.ts';

const prefixBytes = 4;

export class FrameSplitter {
  readonly #maxFrameBytes: number;
  #kept: Uint8Array[] = [];
  #keptBytes = 0;
  /** Size of the frame that is coming, without its prefix; -1 while that is not known. */
  #wantedBytes = -1;

  /** `maxFrameBytes`: a frame may have so many. */
  constructor(maxFrameBytes: number) {
    this.#maxFrameBytes = maxFrameBytes;
  }

  /** Takes the next bytes and hands over each frame that is whole. False where a size is none: the stream is lost. */
  push(chunk: Uint8Array, frame: (bytes: Uint8Array) => void): boolean {
    let rest = chunk;
    for (;;) {
      if (this.#keptBytes > 0) {
        const needed = (this.#wantedBytes < 0 ? prefixBytes : prefixBytes + this.#wantedBytes) - this.#keptBytes;
        const taken = rest.subarray(0, needed);
        this.#kept.push(taken);
        this.#keptBytes += taken.length;
        rest = rest.subarray(taken.length);
        if (taken.length < needed) return true;
        const joined = this.#join();
        if (this.#wantedBytes < 0) {
          if (!this.#size(joined)) return false;
          if (this.#wantedBytes > 0) {
            this.#kept = [joined];
            this.#keptBytes = joined.length;
            continue;
          }
        }
        this.#wantedBytes = -1;
        frame(joined.subarray(prefixBytes));
        continue;
      }
      if (rest.length === 0) return true;
      if (rest.length >= prefixBytes) {
        if (!this.#size(rest)) return false;
        const end = prefixBytes + this.#wantedBytes;
        if (rest.length >= end) {
          const whole = rest.subarray(prefixBytes, end);
          rest = rest.subarray(end);
          this.#wantedBytes = -1;
          frame(whole);
          continue;
        }
      }
      this.#kept = [rest];
      this.#keptBytes = rest.length;
      return true;
    }
  }

  #size(bytes: Uint8Array): boolean {
    this.#wantedBytes = readInt32(bytes, 0);
    return this.#wantedBytes >= 0 && this.#wantedBytes <= this.#maxFrameBytes;
  }

  #join(): Uint8Array {
    const kept = this.#kept;
    this.#kept = [];
    const length = this.#keptBytes;
    this.#keptBytes = 0;
    if (kept.length === 1) return kept[0]!;
    const joined = new Uint8Array(length);
    let at = 0;
    for (const part of kept) {
      joined.set(part, at);
      at += part.length;
    }
    return joined;
  }
}
