/**
 * Reads WebSocket frames in WebAssembly, as TypeScript sees it, and the memory into which the sockets of a server are read.
 * Any thread, an instance each. The source is `assembly/web-socket/`; this file is the contract between both sides.
 *
 *   0      4096      8192             65536         131072     393216     458752         851968
 *   │ JSON │ results │ rows of frames │ room before │ one read │ anything │ records made │ anything
 *
 * The first part is left to what passes over JSON where it was read to (`json/json-core.ts`). What a connection kept of the read before is put right before the next one, so that it lies in one piece. Positions are those in
 * the memory. What frames come to together, messages and their ends, see `web-socket.ts`.
 */

import type { MessageMemory } from '../http-route.ts';
import { frameWasmBase64 } from './generated/frame-wasm.ts';

/** Places in the memory. */
export const frameMemory = {
  stoppedAt: 4096, // u32: behind the last whole frame
  problem: 4100, // u32
  rows: 8192, // u32 payload start, end, first byte and `wrongUtf8`
  mostRows: 4096,
  sizeOfRow: 12,
  roomBefore: 65_536,
  read: 131_072,
  readBytes: 262_144,
  records: 458_752,
  recordsEnd: 851_968,
} as const;

/** Beside the first byte of a frame: a whole text that is no UTF-8. */
export const wrongUtf8 = 0x100;

/** Why no further frame is read. */
export const FrameProblem = { NONE: 0, NOT_MASKED: 1, MALFORMED: 2, TOO_LARGE: 3 } as const;

/** So much may be kept of a read, in bytes. */
export const roomBeforeBytes = frameMemory.read - frameMemory.roomBefore;
/** Where a read ends at most. */
export const readEnd = frameMemory.read + frameMemory.readBytes;

const pageBytes = 65_536;

interface FrameModule {
  readFrames(at: number, end: number, largest: number): number;
  unmask(start: number, end: number, mask: number): number;
  makeRecords(first: number, end: number, delta: number, timestampDelta: number, room: number, largest: number): number;
  recordsMadeEnd(): number;
}

export class FrameCore implements MessageMemory {
  /** The whole memory. It is no `Buffer`, whose `slice` is no copy, because parts of it are handed to others. */
  readonly bytes: Uint8Array;
  /** The same, for what a `Buffer` can. */
  readonly buffer: Buffer;
  /** The same, four bytes at a time. */
  readonly words: Int32Array;
  /** Where sockets are read to. */
  readonly readBuffer: Buffer;
  readonly memory = new WebAssembly.Memory({ initial: frameMemory.recordsEnd / pageBytes + 1 });
  #module: FrameModule | null = null;

  constructor() {
    this.bytes = new Uint8Array(this.memory.buffer);
    this.buffer = Buffer.from(this.memory.buffer);
    this.words = new Int32Array(this.memory.buffer);
    this.readBuffer = this.buffer.subarray(frameMemory.read, readEnd);
  }

  /**
   * Reads whole frames from `at` on and unmasks them in place, each to a row; returns how many. `largest` bounds a payload, in
   * bytes. Where it stopped and what is wrong there are in the memory.
   */
  readFrames(at: number, end: number, largest: number): number {
    return this.#loaded.readFrames(at, end, largest);
  }

  /** Takes `mask` off `[start, end)`; its lowest byte is the first. */
  unmask(start: number, end: number, mask: number): void {
    this.#loaded.unmask(start, end, mask);
  }

  /**
   * Makes records of the messages in the rows from `first` to `end` on, as far as they are whole messages, fit `room` together and
   * `largest` each, in bytes; returns how many. What they come to is `[frameMemory.records, recordsEnd)` of the memory.
   */
  makeRecords(
    first: number,
    end: number,
    delta: number,
    timestampDelta: number,
    room: number,
    largest: number,
  ): number {
    return this.#loaded.makeRecords(first, end, delta, timestampDelta, room, largest);
  }

  get recordsEnd(): number {
    return this.#loaded.recordsMadeEnd();
  }

  /** With the first WebSocket: HTTP does without. */
  get #loaded(): FrameModule {
    this.#module ??= new WebAssembly.Instance(compiledModule(), { env: { memory: this.memory } })
      .exports as unknown as FrameModule;
    return this.#module;
  }
}

let compiled: WebAssembly.Module | null = null;

function compiledModule(): WebAssembly.Module {
  compiled ??= new WebAssembly.Module(Buffer.from(frameWasmBase64, 'base64'));
  return compiled;
}
