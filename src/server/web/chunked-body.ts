/**
 * Takes the chunks off a body as it comes (RFC 9112, section 7.1). Any thread.
 *
 *   size in hexadecimal ;extension ⏎ data ⏎ … 0 ⏎ trailer ⏎ … ⏎
 *
 * Extensions and trailers are passed over, within bounds. What does not end where it says is no chunk.
 */

/** What comes next. */
const State = {
  SIZE: 0,
  EXTENSION: 1,
  SIZE_END: 2,
  DATA: 3,
  DATA_RETURN: 4,
  DATA_END: 5,
  TRAILER: 6,
  LAST_END: 7,
  DONE: 8,
} as const;
type State = (typeof State)[keyof typeof State];

const carriageReturn = 13;
const newline = 10;
const semicolon = 0x3b;
/** More digits would be beyond what a number holds exactly. */
const mostDigits = 13;
/** Extensions of one chunk and trailers of a body may take as much, in bytes. */
const largestAside = 16 * 1024;

export class ChunkedBody {
  #state: State = State.SIZE;
  #sizeBytes = 0;
  #digits = 0;
  #asideBytes = 0;
  /** What came of the line of a trailer that is being passed over. */
  #lineBytes = 0;

  /** The last chunk and the trailers came. */
  get isDone(): boolean {
    return this.#state === State.DONE;
  }

  /**
   * Takes `[start, end)` of `bytes` and gives the parts of it that are the body's; returns the position behind what belongs
   * to the body, or -1 where it is malformed.
   */
  take(bytes: Uint8Array, start: number, end: number, give: (start: number, end: number) => void): number {
    let at = start;
    while (at < end && this.#state !== State.DONE) {
      if (this.#state === State.DATA) {
        const size = Math.min(this.#sizeBytes, end - at);
        give(at, at + size);
        at += size;
        this.#sizeBytes -= size;
        if (this.#sizeBytes === 0) this.#state = State.DATA_RETURN;
      } else if (!this.#takeByte(bytes[at++]!)) return -1;
    }
    return at;
  }

  /** Takes a byte that is none of the data's; false where it does not belong there. */
  #takeByte(byte: number): boolean {
    switch (this.#state) {
      case State.SIZE:
        return this.#takeSize(byte);
      case State.EXTENSION:
        if (byte === carriageReturn) this.#state = State.SIZE_END;
        return byte !== newline && ++this.#asideBytes <= largestAside;
      case State.SIZE_END:
        this.#state = this.#sizeBytes > 0 ? State.DATA : State.TRAILER;
        this.#lineBytes = 0;
        return byte === newline;
      case State.DATA_RETURN:
        this.#state = State.DATA_END;
        return byte === carriageReturn;
      case State.DATA_END:
        this.#state = State.SIZE;
        this.#digits = 0;
        this.#sizeBytes = 0;
        this.#asideBytes = 0;
        return byte === newline;
      case State.TRAILER:
        return this.#takeTrailer(byte);
      case State.LAST_END:
        this.#state = this.#lineBytes === 0 ? State.DONE : State.TRAILER;
        this.#lineBytes = 0;
        return byte === newline;
      default:
        return false;
    }
  }

  #takeSize(byte: number): boolean {
    const digit = hexadecimal(byte);
    if (digit >= 0) {
      this.#sizeBytes = this.#sizeBytes * 16 + digit;
      return ++this.#digits <= mostDigits;
    }
    if (this.#digits === 0) return false;
    if (byte === carriageReturn) this.#state = State.SIZE_END;
    else if (byte === semicolon) this.#state = State.EXTENSION;
    else return false;
    return true;
  }

  #takeTrailer(byte: number): boolean {
    if (byte === carriageReturn) this.#state = State.LAST_END;
    else this.#lineBytes++;
    return byte !== newline && ++this.#asideBytes <= largestAside;
  }
}

function hexadecimal(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
