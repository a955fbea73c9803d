/**
 * What the WebSockets of a door bring within one turn of the event loop, kept until its end so that it is served as what one
 * read of a socket brings is. I/O thread, one per door.
 *
 *   message ─► copied behind what others brought ─┬─ end of the turn ─► each link's bytes, in the order in which they came
 *   large ───► passed on, behind what was kept    └─ buffer full ─────► likewise
 *
 * uWebSockets.js ends a tick of Node's with every message, though it has read half a megabyte of them: what is to happen at
 * the end of a tick, above all that the log hands batches to its flush worker, would happen for each message by itself. Copying
 * costs a fiftieth of that. It does not look into the bytes.
 */

import { assert } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';

/** Whose messages they are. */
export interface MessageTaker {
  /** The next bytes of its stream, which are gone after the call. It throws nothing. */
  takeBytes(bytes: Uint8Array): void;
}

/** As much as the door for TCP reads at once. */
const bufferBytes = 256 * 1024;
/** Beside what it takes to serve so many bytes, a tick of its own is little. */
const largeMessageBytes = 64 * 1024;

export class GatheredMessages {
  readonly #clock: Pick<Clock, 'afterTurn'>;
  /** There from the first message on. */
  #buffer: Uint8Array | null = null;
  #takers: MessageTaker[] = [];
  /** Where in the buffer the bytes of each of them end; they begin where those before them end. */
  #ends: number[] = [];
  #end = 0;
  #isScheduled = false;
  #isPassing = false;

  constructor(clock: Pick<Clock, 'afterTurn'>) {
    this.#clock = clock;
  }

  /** Takes the next message of `taker`, whose bytes are only looked at during this call. */
  add(taker: MessageTaker, message: Uint8Array): void {
    assert(!this.#isPassing, 'messages come between, not from within, what is passed on');
    const isLarge = message.length >= largeMessageBytes;
    if (isLarge || this.#end + message.length > bufferBytes) this.passOn();
    if (isLarge) return taker.takeBytes(message);
    this.#buffer ??= new Uint8Array(bufferBytes);
    this.#buffer.set(message, this.#end);
    this.#end += message.length;
    const last = this.#takers.length - 1;
    if (last >= 0 && this.#takers[last] === taker) this.#ends[last] = this.#end;
    else {
      this.#takers.push(taker);
      this.#ends.push(this.#end);
    }
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#clock.afterTurn(() => {
      this.#isScheduled = false;
      this.passOn();
    });
  }

  /** Passes on what was kept; nothing where that is under way. */
  passOn(): void {
    if (this.#isPassing || this.#buffer === null) return;
    this.#isPassing = true;
    let start = 0;
    for (let i = 0; i < this.#takers.length; i++) {
      const end = this.#ends[i]!;
      this.#takers[i]!.takeBytes(this.#buffer.subarray(start, end));
      start = end;
    }
    this.#takers.length = 0;
    this.#ends.length = 0;
    this.#end = 0;
    this.#isPassing = false;
  }
}
