/**
 * Writes JSON text into bytes that grow. I/O thread. What is UTF-8 without anything to escape is copied as it is.
 */

import { isUtf8 } from 'node:buffer';

const quote = 0x22;
const backslash = 0x5c;
const newline = 0x0a;
const carriageReturn = 0x0d;
const space = 0x20;
const firstCapacityBytes = 64 * 1024;
/** More than this is not kept for what is written next. */
const keptCapacityBytes = 4 * 1024 * 1024;
const encoder = new TextEncoder();

export class JsonText {
  #bytes = Buffer.allocUnsafe(firstCapacityBytes);
  #end = 0;

  get sizeBytes(): number {
    return this.#end;
  }

  /** Forgets what was written behind so many bytes. */
  backTo(sizeBytes: number): void {
    this.#end = sizeBytes;
  }

  /** A copy of what was written; it is empty from here on. */
  take(): Uint8Array {
    const taken = new Uint8Array(this.#bytes.subarray(0, this.#end));
    this.#end = 0;
    if (this.#bytes.length > keptCapacityBytes) this.#bytes = Buffer.allocUnsafe(firstCapacityBytes);
    return taken;
  }

  /** ASCII, as it is. */
  ascii(text: string): void {
    this.#reserve(text.length);
    const bytes = this.#bytes;
    let at = this.#end;
    for (let i = 0; i < text.length; i++) bytes[at++] = text.charCodeAt(i);
    this.#end = at;
  }

  /** A safe integer. */
  integer(value: number): void {
    if (value < 0 || value >= 1e15) return this.ascii(String(value));
    let digits = 1;
    for (let bound = 10; value >= bound; bound *= 10) digits++;
    this.#reserve(digits);
    let rest = value;
    for (let at = this.#end + digits - 1; at >= this.#end; at--) {
      const tenth = Math.floor(rest / 10);
      this.#bytes[at] = 0x30 + (rest - tenth * 10);
      rest = tenth;
    }
    this.#end += digits;
  }

  /** `[start, end)` of `bytes`, as it is. */
  raw(bytes: Uint8Array, start: number, end: number): void {
    this.#reserve(end - start);
    this.#bytes.set(bytes.subarray(start, end), this.#end);
    this.#end += end - start;
  }

  /** The JSON text `[start, end)` of `bytes` on one line: newlines, which stand between tokens alone, become spaces. */
  json(bytes: Uint8Array, start: number, end: number): void {
    const first = this.#end;
    this.raw(bytes, start, end);
    const written = this.#bytes.subarray(first, this.#end);
    for (const byte of [newline, carriageReturn]) {
      for (let at = written.indexOf(byte); at >= 0; at = written.indexOf(byte, at + 1)) written[at] = space;
    }
  }

  /** A text as a JSON string. */
  text(text: string): void {
    const bytes = encoder.encode(JSON.stringify(text));
    this.raw(bytes, 0, bytes.length);
  }

  /** `[start, end)` of `bytes` as a JSON string, where it is UTF-8; else nothing is written and it says so. */
  utf8(bytes: Uint8Array, start: number, end: number): boolean {
    const view = bytes.subarray(start, end);
    let plain = true;
    let ascii = true;
    for (let i = 0; i < view.length; i++) {
      const byte = view[i]!;
      if (byte < 0x20 || byte === quote || byte === backslash) plain = false;
      else if (byte >= 0x80) ascii = false;
    }
    if (!ascii && !isUtf8(view)) return false;
    if (!plain) {
      this.text(Buffer.from(view.buffer, view.byteOffset, view.length).toString());
      return true;
    }
    this.#reserve(view.length + 2);
    this.#bytes[this.#end] = quote;
    this.#bytes.set(view, this.#end + 1);
    this.#bytes[this.#end + view.length + 1] = quote;
    this.#end += view.length + 2;
    return true;
  }

  /** `[start, end)` of `bytes` as base64 in a JSON string. */
  base64(bytes: Uint8Array, start: number, end: number): void {
    this.ascii(`"${Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('base64')}"`);
  }

  #reserve(sizeBytes: number): void {
    const needed = this.#end + sizeBytes;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2));
    larger.set(this.#bytes.subarray(0, this.#end));
    this.#bytes = larger;
  }
}
