/**
 * How a JSON value of a body becomes a record: as it stands, or as an envelope that names key, value and the rest. Any
 * thread. The text was checked (json/json-scanner.ts); bytes of values go on as they came.
 *
 *   envelope   {"key": …, "value": …, "headers": {…}, "partition": 0, "timestamp": 0}
 *     key        a string: its UTF-8; another value: its JSON text; null: none      keyBase64   bytes
 *     value      a JSON value: its text; null: none      text   a string: its UTF-8      base64   bytes
 *     headers    {"name": "text" | null | {"base64": "…"} | [several of these]}
 *     timestamp  milliseconds since 1970, or RFC 3339
 */

import type { RecordHeader } from '../../records/record-reader.ts';
import { shown } from '../http-api/arguments.ts';
import { JsonWalker, kindAt, utf8Of } from '../json/json-walker.ts';
import { parseBase64 } from '../json/base64.ts';
import { largestPartition, parseTime, type RecordArguments } from './record-arguments.ts';

/** A record in the making; views of the body's bytes. */
export interface RecordDraft {
  key: Uint8Array | null;
  value: Uint8Array | null;
  /** -1: chosen. */
  partition: number;
  /** -1: now. */
  timestampMs: number;
  headers: readonly RecordHeader[] | null;
}

/**
 * Fills `draft`, which holds what the request says of all its records, from the value at `[start, end)` of `bytes`.
 * Returns what is wrong as a sentence, or null.
 */
export type RecordShape = (bytes: Uint8Array, start: number, end: number, draft: RecordDraft) => string | null;

/** Sets `draft` to what the request says of all its records. */
export function begin(draft: RecordDraft, { key, partition, timestampMs, headers }: RecordArguments): void {
  draft.key = key;
  draft.value = null;
  draft.partition = partition;
  draft.timestampMs = timestampMs;
  draft.headers = headers;
}

export function emptyDraft(): RecordDraft {
  return { key: null, value: null, partition: -1, timestampMs: -1, headers: null };
}

/** The value is the record's value, byte for byte. */
export const valueShape: RecordShape = (bytes, start, end, draft) => {
  draft.value = bytes.subarray(start, end);
  return null;
};

export const envelopeShape: RecordShape = (bytes, start, _end, draft) => {
  if (kindAt(bytes, start) !== 'object') return 'A record is an object with key, value and the rest.';
  const walker = new JsonWalker(bytes, start);
  let valueName = '';
  let keyName = '';
  const seen: string[] = [];
  while (walker.next()) {
    const { name, kind } = walker;
    switch (name) {
      case 'key':
      case 'keyBase64': {
        if (keyName !== '') return `A record has one key, not ${keyName} and ${name}.`;
        keyName = name;
        const key = name === 'key' ? textOrJson(walker) : bytesOf(walker);
        if (key === undefined) return 'keyBase64 is a string in base64.';
        draft.key = key;
        break;
      }
      case 'value':
      case 'text':
      case 'base64': {
        if (valueName !== '') return `A record has one value, not ${valueName} and ${name}.`;
        valueName = name;
        const value = name === 'value' ? jsonOf(walker) : name === 'text' ? stringOf(walker) : bytesOf(walker);
        if (value === undefined) return name === 'text' ? 'text is a string.' : 'base64 is a string in base64.';
        draft.value = value;
        break;
      }
      case 'headers': {
        // Lists of lists would be put together again with each.
        if (cameBefore(seen, name)) return twice(name);
        const headers = kind === 'null' ? [] : headersOf(walker);
        if (headers === 'too many') return `A record has at most ${mostHeaders} headers.`;
        if (headers === null) return 'headers is an object of texts, null, {"base64": "…"}, or lists of these.';
        draft.headers = [...(draft.headers ?? []), ...headers];
        break;
      }
      case 'partition': {
        if (cameBefore(seen, name)) return twice(name);
        const problem = takePartition(walker, draft);
        if (problem !== null) return problem;
        break;
      }
      case 'timestamp': {
        if (cameBefore(seen, name)) return twice(name);
        const problem = takeTimestamp(walker, draft);
        if (problem !== null) return problem;
        break;
      }
      // What reading a record tells beside, so that what was read can be sent again.
      case 'offset':
        break;
      default:
        return `A record has no ${shown(name)}: it has key or keyBase64, value, text or base64, headers, partition and timestamp.`;
    }
  }
  return null;
};

/** Whether `name` is among `seen`, where it is afterwards. Only for names that there are: `seen` is gone through. */
export function cameBefore(seen: string[], name: string): boolean {
  if (seen.includes(name)) return true;
  seen.push(name);
  return false;
}

/** What is wrong with a record that has a member of this name twice: readers of JSON do not agree which of them counts. */
export function twice(name: string): string {
  return `A record has ${name} twice.`;
}

/** Takes a partition that is null or a number. */
export function takePartition(walker: JsonWalker, draft: RecordDraft, name = 'partition'): string | null {
  if (walker.kind === 'null') return null;
  const partition = walker.kind === 'number' ? Number(Buffer.from(walker.json).toString()) : -1;
  if (!Number.isInteger(partition) || partition < 0 || partition > largestPartition) {
    return `${name} is a whole number from 0 to ${largestPartition}.`;
  }
  draft.partition = partition;
  return null;
}

/** Takes a timestamp that is null, milliseconds, or a text as RFC 3339 has it. */
export function takeTimestamp(walker: JsonWalker, draft: RecordDraft): string | null {
  if (walker.kind === 'null') return null;
  const text = walker.kind === 'string' ? walker.text : Buffer.from(walker.json).toString();
  const timeMs = walker.kind === 'string' || walker.kind === 'number' ? parseTime(text) : null;
  if (timeMs === null) return 'timestamp is milliseconds since 1970, or a text such as 2026-11-24T12:00:00Z.';
  draft.timestampMs = timeMs;
  return null;
}

/** The text of a JSON value; null for null. */
export function jsonOf(walker: JsonWalker): Uint8Array | null {
  return walker.kind === 'null' ? null : walker.json;
}

/** The UTF-8 of a string; null for null, undefined for anything else. */
export function stringOf(walker: JsonWalker): Uint8Array | null | undefined {
  return walker.kind === 'string' ? walker.utf8 : walker.kind === 'null' ? null : undefined;
}

/** The bytes of a base64 string; null for null, undefined for anything else. */
export function bytesOf(walker: JsonWalker): Uint8Array | null | undefined {
  if (walker.kind === 'null') return null;
  return (walker.kind === 'string' ? parseBase64(walker.text) : null) ?? undefined;
}

function textOrJson(walker: JsonWalker): Uint8Array | null {
  return walker.kind === 'string' ? walker.utf8 : jsonOf(walker);
}

/** More headers would take longer to read than their records are worth. */
export const mostHeaders = 10_000;

/** The headers of an envelope; null where they are none. */
function headersOf(walker: JsonWalker): RecordHeader[] | 'too many' | null {
  if (walker.kind !== 'object') return null;
  const { bytes } = walker;
  const members = new JsonWalker(bytes, walker.start);
  const headers: RecordHeader[] = [];
  while (members.next()) {
    const key = members.name;
    if (headers.length > mostHeaders) return 'too many';
    if (members.kind !== 'array') {
      const value = headerValue(bytes, members.start, members.end);
      if (value === undefined) return null;
      headers.push({ key, value });
      continue;
    }
    const several = new JsonWalker(bytes, members.start);
    while (several.next()) {
      if (headers.length > mostHeaders) return 'too many';
      const value = headerValue(bytes, several.start, several.end);
      if (value === undefined) return null;
      headers.push({ key, value });
    }
  }
  return headers.length > mostHeaders ? 'too many' : headers;
}

function headerValue(bytes: Uint8Array, start: number, end: number): Uint8Array | null | undefined {
  switch (kindAt(bytes, start)) {
    case 'null':
      return null;
    case 'string':
      return utf8Of(bytes, start, end);
    case 'object': {
      const walker = new JsonWalker(bytes, start);
      if (!walker.next() || walker.name !== 'base64') return undefined;
      const value = bytesOf(walker);
      return walker.next() ? undefined : value;
    }
    default:
      return undefined;
  }
}
