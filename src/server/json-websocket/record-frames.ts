/**
 * Records of a block as `records` frames: written once for all who read them in the same way. I/O thread.
 *
 *   {"type":"records","subscription":S,"topic":T,"partition":P,"records":[ …  ]}
 *   └─ once for each name of a subscription ─────────────────────────────┘ └─ once for each way to write values
 */

import type { FrameFormat, RecordBlock } from '../../gateway/record-block.ts';
import type { RecordHeader } from '../../records/record-reader.ts';
import { JsonScanner } from '../json/json-scanner.ts';
import { JsonText } from './json-text.ts';
import { deepestNesting } from './publish-scanner.ts';

/** As `values` of a subscribe frame. */
export type ValuesAs = 'json' | 'text' | 'base64';

const scanner = new JsonScanner({ deepest: deepestNesting });
const text = new JsonText();
const closing = Buffer.from(']}');

/** The records alone, without the brackets around them. */
class RecordsFormat implements FrameFormat<Uint8Array> {
  readonly #values: ValuesAs;

  constructor(values: ValuesAs) {
    this.#values = values;
  }

  encode(block: RecordBlock, from: number, to: number): Uint8Array {
    text.clear();
    for (let i = from; i < to; i++) {
      text.ascii(i === from ? '{"offset":' : ',{"offset":');
      text.integer(block.offsetAt(i));
      text.ascii(',"timestamp":');
      text.integer(block.timestampMsAt(i));
      const key = block.keyAt(i);
      if (key !== null) writeKey(key);
      this.#writeValue(block, i);
      if (block.headerCountAt(i) > 0) writeHeaders(block.headersAt(i));
      text.ascii('}');
    }
    return text.take();
  }

  #writeValue(block: RecordBlock, i: number): void {
    const sizeBytes = block.valueSizeBytesAt(i);
    if (sizeBytes < 0) return text.ascii(',"value":null');
    const bytes = block.sourceAt(i);
    const start = block.valueStartAt(i);
    const end = start + sizeBytes;
    if (this.#values === 'json' && scanner.isJson(bytes, start, end)) {
      text.ascii(',"value":');
      return text.raw(bytes, start, end);
    }
    if (this.#values !== 'base64') {
      const before = text.sizeBytes;
      text.ascii(',"text":');
      if (text.utf8(bytes, start, end)) return;
      text.backTo(before);
    }
    text.ascii(',"base64":');
    text.base64(bytes, start, end);
  }
}

class SubscriptionFormat implements FrameFormat<Uint8Array> {
  readonly #subscription: string;
  readonly #records: RecordsFormat;

  constructor(subscription: string, records: RecordsFormat) {
    this.#subscription = subscription;
    this.#records = records;
  }

  encode(block: RecordBlock, from: number, to: number): Uint8Array {
    const records = block.frame(this.#records, from, to);
    const { topic, partition } = block;
    const opening = JSON.stringify({ type: 'records', subscription: this.#subscription, topic, partition });
    return Buffer.concat([Buffer.from(`${opening.slice(0, -1)},"records":[`), records, closing]);
  }
}

/** Formats that are kept to be found again; what comes beyond shares its frames with nobody. */
const keptFormats = 256;

/** Hands out one format for all subscriptions that read in the same way. */
export class FrameFormats {
  readonly #records: Readonly<Record<ValuesAs, RecordsFormat>> = {
    json: new RecordsFormat('json'),
    text: new RecordsFormat('text'),
    base64: new RecordsFormat('base64'),
  };
  readonly #formats = new Map<string, FrameFormat<Uint8Array>>();

  of(subscription: string, values: ValuesAs): FrameFormat<Uint8Array> {
    const name = `${values} ${subscription}`;
    const known = this.#formats.get(name);
    if (known !== undefined) return known;
    const format = new SubscriptionFormat(subscription, this.#records[values]);
    const oldest = this.#formats.keys().next();
    if (this.#formats.size >= keptFormats && oldest.done !== true) this.#formats.delete(oldest.value);
    this.#formats.set(name, format);
    return format;
  }
}

function writeKey(key: Uint8Array): void {
  const before = text.sizeBytes;
  text.ascii(',"key":');
  if (text.utf8(key, 0, key.length)) return;
  text.backTo(before);
  text.ascii(',"keyBase64":');
  text.base64(key, 0, key.length);
}

function writeHeaders(headers: readonly RecordHeader[]): void {
  const byName = new Map<string, RecordHeader[]>();
  for (const header of headers) {
    const same = byName.get(header.key);
    if (same === undefined) byName.set(header.key, [header]);
    else same.push(header);
  }
  let separator = ',"headers":{';
  for (const [name, same] of byName) {
    text.ascii(separator);
    text.text(name);
    text.ascii(same.length > 1 ? ':[' : ':');
    for (const [i, { value }] of same.entries()) {
      if (i > 0) text.ascii(',');
      writeHeaderValue(value);
    }
    if (same.length > 1) text.ascii(']');
    separator = ',';
  }
  text.ascii('}');
}

function writeHeaderValue(value: Uint8Array | null): void {
  if (value === null) return text.ascii('null');
  if (text.utf8(value, 0, value.length)) return;
  text.ascii('{"base64":');
  text.base64(value, 0, value.length);
  text.ascii('}');
}
