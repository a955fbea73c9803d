/**
 * Makes member ids as Kafka does: the client's or instance's name, a dash, and a version 4 id (RFC 9562). Any thread.
 */

import type { RandomSource } from '../../base/random.ts';

/** Names are as long as clients like, and member ids go into responses and records. */
const longestName = 255;

/** A member id that was never given before; `name` is the instance id of a static member, else the client id. */
export function newMemberId(name: string, random: RandomSource): string {
  const bytes = new Uint8Array(16);
  random.fill(bytes);
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const digits = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  const groups = [
    digits.slice(0, 8),
    digits.slice(8, 12),
    digits.slice(12, 16),
    digits.slice(16, 20),
    digits.slice(20),
  ];
  return `${name.slice(0, longestName)}-${groups.join('-')}`;
}
