/**
 * Kafka's 16-byte ids, held as their 22-character base64url text (the form Kafka prints), which compares and keys
 * maps cheaply. Any thread.
 */

import { assert } from './assert.ts';
import type { RandomSource } from './random.ts';

declare const brand: unique symbol;

/** A 16-byte id as 22 characters of unpadded base64url. */
export type Uuid = string & { readonly [brand]: 'uuid' };

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const textLength = 22;
const valueByCharCode = new Int8Array(128).fill(-1);
for (let i = 0; i < alphabet.length; i++) valueByCharCode[alphabet.charCodeAt(i)] = i;

export const zeroUuid = 'A'.repeat(textLength) as Uuid;
/** The id that Kafka gives the topic of its metadata log. */
export const metadataTopicUuid = `${'A'.repeat(textLength - 1)}Q` as Uuid;

/** Reads the 16 bytes of `bytes` from `start`; the caller has checked that they are there. */
export function uuidFromBytes(bytes: Uint8Array, start: number): Uuid {
  let text = '';
  let i = start;
  for (; i < start + 15; i += 3) {
    const group = (bytes[i]! << 16) | (bytes[i + 1]! << 8) | bytes[i + 2]!;
    text +=
      alphabet[group >>> 18]! + alphabet[(group >>> 12) & 63]! + alphabet[(group >>> 6) & 63]! + alphabet[group & 63]!;
  }
  const last = bytes[i]!;
  return (text + alphabet[last >>> 2]! + alphabet[(last & 3) << 4]!) as Uuid;
}

/** Writes the 16 bytes of `uuid` into `target` from `start`. */
export function uuidIntoBytes(uuid: Uuid, target: Uint8Array, start: number): void {
  assert(uuid.length === textLength, 'a uuid has 22 characters');
  for (let group = 0; group < 6; group++) {
    let bits = 0;
    const count = group < 5 ? 4 : 2;
    for (let i = 0; i < 4; i++) bits = (bits << 6) | (i < count ? valueByCharCode[uuid.charCodeAt(group * 4 + i)]! : 0);
    target[start + group * 3] = bits >>> 16;
    if (group < 5) {
      target[start + group * 3 + 1] = bits >>> 8;
      target[start + group * 3 + 2] = bits;
    }
  }
}

/** Parses the text form; null where it is not 22 characters of base64url that stand for exactly 16 bytes. */
export function parseUuid(text: string): Uuid | null {
  if (!/^[A-Za-z0-9_-]{21}[AQgw]$/.test(text)) return null;
  return text as Uuid;
}

/** A version 4 id (RFC 9562) that is neither reserved nor, as Kafka wants it, starts with a dash. */
export function randomUuid(random: RandomSource): Uuid {
  const bytes = new Uint8Array(16);
  for (;;) {
    random.fill(bytes);
    bytes[6] = (bytes[6]! & 0x0f) | 0x40;
    bytes[8] = (bytes[8]! & 0x3f) | 0x80;
    const uuid = uuidFromBytes(bytes, 0);
    if (!uuid.startsWith('-')) return uuid;
  }
}
