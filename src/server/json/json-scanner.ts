/**
 * Checks JSON text, so that the bytes of a value can go on as they came: nothing is decoded, no number is rounded, no
 * object is made. Any thread; nothing is allocated per value. The work is done in WebAssembly (json-core.ts).
 *
 * Refused is what RFC 8259 refuses, and beyond it: bytes that are no UTF-8 (RFC 3629, so no surrogates and no overlong
 * forms), and nesting deeper than `deepestNesting`. Numbers may be as long and as large as they like: their text is kept.
 * Names that come twice in one object are kept as well; escapes such as \ud800 without a second half are legal JSON.
 */

import { JsonCore, JsonFlag, jsonMemory } from './json-core.ts';

/** Arrays and objects within each other, at most. */
export const deepestNesting = 256;

const newline = 0x0a;

export interface JsonScannerOptions {
  /** A newline ends the text, as in NDJSON, so that no value goes over it. */
  readonly newlineEnds?: boolean;
  /** Arrays and objects within each other, at most; no more than `deepestNesting`, which is the default. */
  readonly deepest?: number;
}

/** Checks one text at a time, for all scanners; none of them before it is needed, because a start does without. */
let shared: JsonCore | null = null;

export class JsonScanner {
  /** After a failure: what is wrong, such as `a string is not closed`; `problemAt` is the position of the byte. */
  problem = '';
  problemAt = 0;
  /** After a failure: the text is right as far as it goes, and ended too early. */
  cutShort = false;
  readonly #newlineEnds: boolean;
  readonly #flags: number;
  readonly #deepest: number;

  constructor({ newlineEnds = false, deepest = deepestNesting }: JsonScannerOptions = {}) {
    this.#newlineEnds = newlineEnds;
    this.#flags = JsonFlag.CHECK_UTF8 | JsonFlag.ALONE | (newlineEnds ? JsonFlag.NEWLINE_ENDS : 0);
    this.#deepest = deepest;
  }

  /**
   * Copies `[start, end)` of `bytes` to where it can be scanned several times without being copied again. The copy is
   * `placed` from `placedStart` on, until anything else is placed or scanned.
   */
  place(bytes: Uint8Array, start: number, end: number): number {
    return core().place(bytes, start, end);
  }

  get placed(): Uint8Array {
    return core().bytes;
  }

  get placedStart(): number {
    return jsonMemory.text;
  }

  /** The first position from `at` on that holds no white space; `end` where there is none. */
  skipSpace(bytes: Uint8Array, at: number, end: number): number {
    let position = at;
    while (position < end) {
      const byte = bytes[position]!;
      if (byte > 0x20) break;
      if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0d && (byte !== newline || this.#newlineEnds)) break;
      position++;
    }
    return position;
  }

  /**
   * Passes over the one value that begins at `at`, white space before it allowed, and returns the position behind it; -1
   * where `[at, end)` holds none that is whole and right (`problem` says why).
   */
  scan(bytes: Uint8Array, at: number, end: number): number {
    const json = core();
    // How much further a position of the text lies in the core's memory.
    let shift = 0;
    if (bytes !== json.bytes) {
      json.place(bytes, at, end);
      shift = jsonMemory.text - at;
    }
    const behind = json.module.scanValue(at + shift, end + shift, this.#flags, this.#deepest);
    if (behind !== 0) return behind - shift;
    this.problem = json.problem(this.#deepest);
    this.problemAt = json.words[jsonMemory.problemAt / 4]! - shift;
    this.cutShort = json.words[jsonMemory.cutShort / 4] !== 0;
    return -1;
  }

  /** Whether `[start, end)` of `bytes` is one value and white space. */
  isJson(bytes: Uint8Array, start: number, end: number): boolean {
    const behind = this.scan(bytes, start, end);
    return behind >= 0 && this.skipSpace(bytes, behind, end) === end;
  }
}

function core(): JsonCore {
  shared ??= new JsonCore();
  return shared;
}
