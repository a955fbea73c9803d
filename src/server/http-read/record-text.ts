/**
 * Records as JSON texts, written once for all who read them in the same way. Any thread.
 *
 *   {"partition":0,"offset":5,"timestamp":0,"key":"k","value":{},"headers":{"a":"1"}}
 *
 *   key       text where it is UTF-8, else keyBase64; neither: null
 *   value     json: value where it is JSON, else text where it is UTF-8, else base64 · text: text or base64 · base64
 *   headers   {"name": "text" | null | {"base64": "…"} | [several of these]}
 *
 * The JSON of values is given as it is stored, but for newlines between its tokens, which become spaces: a text is one
 * line. What is read can be sent again as an envelope.
 */

import { isUtf8 } from 'node:buffer';
import type { RecordBlock } from '../../gateway/record-block.ts';
import type { RecordHeader } from '../../records/record-reader.ts';
import { JsonScanner } from '../json/json-scanner.ts';

export type ValuesAs = 'json' | 'text' | 'base64';

const scanner = new JsonScanner();
const firstCapacityBytes = 64 * 1024;
const newline = 0x0a;
const carriageReturn = 0x0d;
const space = 0x20;

/** Texts and bytes, one after the other. */
export class TextWriter {
  #bytes = Buffer.allocUnsafe(firstCapacityBytes);
  #end = 0;

  ascii(text: string): void {
    this.#reserve(text.length);
    this.#end += this.#bytes.write(text, this.#end, 'latin1');
  }

  utf8(text: string): void {
    this.#reserve(text.length * 3);
    this.#end += this.#bytes.write(text, this.#end);
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** JSON text, on one line. */
  json(bytes: Uint8Array): void {
    const start = this.#end;
    this.raw(bytes);
    // Between tokens alone: within strings JSON has them as escapes.
    for (const byte of [newline, carriageReturn]) {
      for (let at = bytes.indexOf(byte); at >= 0; at = bytes.indexOf(byte, at + 1)) this.#bytes[start + at] = space;
    }
  }

  /** All of it, as a copy; it is empty from here on. */
  take(): Uint8Array {
    const taken = new Uint8Array(this.#bytes.subarray(0, this.#end));
    this.#end = 0;
    if (this.#bytes.length > 4 * 1024 * 1024) this.#bytes = Buffer.allocUnsafe(firstCapacityBytes);
    return taken;
  }

  #reserve(sizeBytes: number): void {
    if (this.#end + sizeBytes <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#end + sizeBytes, this.#bytes.length * 2));
    larger.set(this.#bytes.subarray(0, this.#end));
    this.#bytes = larger;
  }
}

/** Writes record `i` of `block`. */
export function writeRecord(out: TextWriter, block: RecordBlock, i: number, values: ValuesAs): void {
  out.ascii(`{"partition":${block.partition},"offset":${block.offsetAt(i)},"timestamp":${block.timestampMsAt(i)},`);
  const key = block.keyAt(i);
  if (key === null) out.ascii('"key":null');
  else writeText(out, key, '"key":', '"keyBase64":');
  out.ascii(',');
  writeValue(out, block.valueAt(i), values);
  if (block.headerCountAt(i) > 0) writeHeaders(out, block.headersAt(i));
  out.ascii('}');
}

function writeValue(out: TextWriter, value: Uint8Array | null, values: ValuesAs): void {
  if (value === null) return out.ascii('"value":null');
  if (values === 'json' && scanner.isJson(value, 0, value.length)) {
    out.ascii('"value":');
    return out.json(value);
  }
  if (values === 'base64') return out.ascii(`"base64":"${base64Of(value)}"`);
  writeText(out, value, '"text":', '"base64":');
}

function writeText(out: TextWriter, bytes: Uint8Array, textName: string, base64Name: string): void {
  if (isUtf8(bytes)) {
    out.ascii(textName);
    out.utf8(JSON.stringify(textOf(bytes)));
  } else out.ascii(`${base64Name}"${base64Of(bytes)}"`);
}

function writeHeaders(out: TextWriter, headers: readonly RecordHeader[]): void {
  const byName = new Map<string, RecordHeader[]>();
  for (const header of headers) {
    const others = byName.get(header.key);
    if (others === undefined) byName.set(header.key, [header]);
    else others.push(header);
  }
  const members = [...byName].map(([name, those]) => {
    const texts = those.map(({ value }) => headerText(value));
    return `${JSON.stringify(name)}:${texts.length === 1 ? texts[0] : `[${texts.join(',')}]`}`;
  });
  out.utf8(`,"headers":{${members.join(',')}}`);
}

function headerText(value: Uint8Array | null): string {
  if (value === null) return 'null';
  return isUtf8(value) ? JSON.stringify(textOf(value)) : `{"base64":"${base64Of(value)}"}`;
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();
}

function base64Of(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64');
}
