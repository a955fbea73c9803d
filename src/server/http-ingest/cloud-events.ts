/**
 * CloudEvents 1.0 on their way to records: the HTTP binding comes in, the Kafka binding is what is stored. Any thread.
 *
 *   binary       headers ce-NAME ─► headers ce_NAME, Content-Type ─► content-type, body ─► value
 *   structured   body ─► value, as it came, with content-type application/cloudevents+json
 *   batched      each event of the array as a structured one
 *
 * The extension `partitionkey` is the record's key where the request names none. Sources: CloudEvents 1.0.2, its HTTP
 * and Kafka protocol bindings, and its partitioning extension.
 */

import type { HttpRequest } from 'uWebSockets.js';
import type { RecordHeader } from '../../records/record-reader.ts';
import { JsonWalker, kindAt } from '../json/json-walker.ts';
import type { RecordShape } from './record-shape.ts';

const encoder = new TextEncoder();
const required = ['specversion', 'id', 'source', 'type'] as const;
const structuredType: RecordHeader = {
  key: 'content-type',
  value: encoder.encode('application/cloudevents+json; charset=UTF-8'),
};

/** A structured event: its text is the value. */
export const cloudEventShape: RecordShape = (bytes, start, end, draft) => {
  if (kindAt(bytes, start) !== 'object') return 'A CloudEvent is an object.';
  const walker = new JsonWalker(bytes, start);
  const found = new Set<string>();
  let partitionKey: Uint8Array | null = null;
  while (walker.next()) {
    const { name, kind } = walker;
    if (found.has(name)) return `The CloudEvent has ${name} twice.`;
    found.add(name);
    if ((required as readonly string[]).includes(name)) {
      if (kind !== 'string' || walker.utf8.length === 0) return `The attribute ${name} of a CloudEvent is a text.`;
      if (name === 'specversion' && walker.text !== '1.0') return 'The specversion of a CloudEvent is 1.0.';
    } else if (name === 'partitionkey') {
      if (kind !== 'string') return 'The attribute partitionkey of a CloudEvent is a text.';
      partitionKey = walker.utf8;
    } else if (name !== 'data' && (kind === 'object' || kind === 'array')) {
      return 'The attributes of a CloudEvent are texts, numbers, true and false.';
    }
  }
  const missing = required.find((name) => !found.has(name));
  if (missing !== undefined) return `The CloudEvent has no ${missing}.`;
  if (found.has('data') && found.has('data_base64')) return 'A CloudEvent has data or data_base64, not both.';
  draft.value = bytes.subarray(start, end);
  draft.key ??= partitionKey;
  draft.headers = [...(draft.headers ?? []), structuredType];
  return null;
};

/** What the headers of a request say of its event. */
export interface BinaryEvent {
  readonly headers: readonly RecordHeader[];
  readonly key: Uint8Array | null;
}

/** The event of a request that has the header ce-specversion; what is wrong with it as a sentence. */
export function binaryEvent(request: HttpRequest): BinaryEvent | string {
  const attributes = new Map<string, string>();
  let contentType = '';
  let problem: string | null = null;
  request.forEach((name, value) => {
    if (name === 'content-type') contentType = value;
    if (!name.startsWith('ce-')) return;
    const attribute = name.slice(3);
    if (!/^[a-z0-9]+$/.test(attribute)) problem ??= 'The attributes of a CloudEvent have names of letters and digits.';
    else if (attributes.has(attribute)) problem ??= `The CloudEvent has ${attribute} twice.`;
    else attributes.set(attribute, unquoted(value));
  });
  if (problem !== null) return problem;
  for (const name of required) if ((attributes.get(name) ?? '') === '') return `The CloudEvent has no ${name}.`;
  if (attributes.get('specversion') !== '1.0') return 'The specversion of a CloudEvent is 1.0.';
  const headers = [...attributes].map(([name, value]) => ({ key: `ce_${name}`, value: encoder.encode(value) }));
  if (contentType !== '') headers.push({ key: 'content-type', value: encoder.encode(contentType) });
  const key = attributes.get('partitionkey');
  return { headers, key: key === undefined ? null : encoder.encode(key) };
}

/** Takes the percent-encoding off, where it is one. */
function unquoted(value: string): string {
  if (!value.includes('%')) return value;
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
