/**
 * Records of a block as JSON, for all doors that speak it. I/O thread.
 *
 *   {"partition":0,"offset":5,"timestamp":0,"key":"k","value":{},"headers":{"a":"1"}}
 *
 *   partition where the form has it; where all records of a frame have the same, the frame says it
 *   key       text where it is UTF-8, else keyBase64; neither: null, or left out
 *   value     json: value where it is JSON, else text where it is UTF-8, else base64 · text: text or base64 · base64
 *   headers   {"name": "text" | null | {"base64": "…"} | [several of these]}
 *
 * The JSON of values is given as it is stored, but for newlines between its tokens where a record has to be one line. What
 * is read can be sent again.
 */

import type { RecordBlock } from '../../gateway/record-block.ts';
import type { RecordHeader } from '../../records/record-reader.ts';
import { JsonScanner } from './json-scanner.ts';
import type { JsonText } from './json-text.ts';

/** How values are given. */
export type ValuesAs = 'json' | 'text' | 'base64';

/** What a door wants of records. */
export interface RecordForm {
  /** Each says its partition, and that it has no key. */
  readonly isSelfContained: boolean;
  /** Each is one line. */
  readonly isOneLine: boolean;
  /** Which values are JSON. */
  readonly scanner: JsonScanner;
}

/** Records that stand alone, a line each. */
export const recordLine: RecordForm = { isSelfContained: true, isOneLine: true, scanner: new JsonScanner() };

/** Writes record `i` of `block`. */
export function writeRecord(out: JsonText, block: RecordBlock, i: number, values: ValuesAs, form: RecordForm): void {
  if (form.isSelfContained) {
    out.ascii('{"partition":');
    out.integer(block.partition);
    out.ascii(',"offset":');
  } else out.ascii('{"offset":');
  out.integer(block.offsetAt(i));
  out.ascii(',"timestamp":');
  out.integer(block.timestampMsAt(i));
  const key = block.keyAt(i);
  if (key !== null) writeText(out, key, 0, key.length, ',"key":', ',"keyBase64":');
  else if (form.isSelfContained) out.ascii(',"key":null');
  writeValue(out, block, i, values, form);
  if (block.headerCountAt(i) > 0) writeHeaders(out, block.headersAt(i));
  out.ascii('}');
}

function writeValue(
  out: JsonText,
  block: RecordBlock,
  i: number,
  values: ValuesAs,
  { isOneLine, scanner }: RecordForm,
): void {
  const sizeBytes = block.valueSizeBytesAt(i);
  if (sizeBytes < 0) return out.ascii(',"value":null');
  const bytes = block.sourceAt(i);
  const start = block.valueStartAt(i);
  const end = start + sizeBytes;
  if (values === 'json' && scanner.isJson(bytes, start, end)) {
    out.ascii(',"value":');
    if (isOneLine) out.json(bytes, start, end);
    else out.raw(bytes, start, end);
  } else if (values === 'base64') {
    out.ascii(',"base64":');
    out.base64(bytes, start, end);
  } else writeText(out, bytes, start, end, ',"text":', ',"base64":');
}

/** `[start, end)` of `bytes` behind `textName` where it is UTF-8, else in base64 behind `base64Name`. */
function writeText(
  out: JsonText,
  bytes: Uint8Array,
  start: number,
  end: number,
  textName: string,
  base64Name: string,
): void {
  const before = out.sizeBytes;
  out.ascii(textName);
  if (out.utf8(bytes, start, end)) return;
  out.backTo(before);
  out.ascii(base64Name);
  out.base64(bytes, start, end);
}

function writeHeaders(out: JsonText, headers: readonly RecordHeader[]): void {
  const byName = new Map<string, RecordHeader[]>();
  for (const header of headers) {
    const same = byName.get(header.key);
    if (same === undefined) byName.set(header.key, [header]);
    else same.push(header);
  }
  let separator = ',"headers":{';
  for (const [name, same] of byName) {
    out.ascii(separator);
    out.text(name);
    out.ascii(same.length > 1 ? ':[' : ':');
    for (const [i, { value }] of same.entries()) {
      if (i > 0) out.ascii(',');
      writeHeaderValue(out, value);
    }
    if (same.length > 1) out.ascii(']');
    separator = ',';
  }
  out.ascii('}');
}

function writeHeaderValue(out: JsonText, value: Uint8Array | null): void {
  if (value === null) return out.ascii('null');
  if (out.utf8(value, 0, value.length)) return;
  out.ascii('{"base64":');
  out.base64(value, 0, value.length);
  out.ascii('}');
}
