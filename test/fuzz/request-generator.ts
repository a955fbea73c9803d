/**
 * Makes requests of any key and version from the schemas: right in their structure, with values at random, at the
 * boundaries of their types, or such that are known to lead somewhere.
 */

import type { SeededRandom } from '../../src/base/random.ts';
import { zeroUuid, type Uuid } from '../../src/base/uuid.ts';
import { encodeRequestHeader, isFlexible } from '../../src/protocol/headers.ts';
import { Writer } from '../../src/protocol/writer.ts';
import { maxStringBytes } from '../../src/protocol/reader.ts';
import type { Field, Versions } from '../protocol/schema.ts';
import { oneOf } from './choice.ts';
import { someRecords } from './record-bytes.ts';
import type { KnownApi } from './schemas.ts';
import type { World } from './world.ts';

export interface GeneratedRequest {
  readonly api: KnownApi;
  readonly version: number;
  readonly correlationId: number;
  readonly message: Message;
  /** With its size prefix. */
  readonly frame: Buffer;
}

type Message = Record<string, unknown>;

/** Fields whose values make a request wait or hold on: a fuzzer has no time. */
const longestMs = 40;
const integerBounds: Readonly<Record<string, readonly number[]>> = {
  int8: [0, 1, -1, 2, 127, -128],
  int16: [0, 1, -1, 2, 32_767, -32_768],
  uint16: [0, 1, 9092, 65_535],
  int32: [0, 1, -1, 2, 100, 2_147_483_647, -2_147_483_648],
  int64: [0, 1, -1, -2, -3, -4, -5, -6, 100, 2 ** 31, 2 ** 53, 2 ** 63, -(2 ** 63)],
};

export class RequestGenerator {
  readonly #random: SeededRandom;
  readonly #world: World;
  /** What one request may still hold of elements. */
  #elementsLeft = 0;

  constructor(random: SeededRandom, world: World) {
    this.#random = random;
    this.#world = world;
  }

  /** A request of `api`, of a version that it has. */
  request(api: KnownApi, version: number, correlationId: number): GeneratedRequest {
    this.#elementsLeft = this.#random.chance(0.02) ? 5000 : 24;
    const message = this.#struct(api.schema.request, version);
    return { api, version, correlationId, message, frame: this.encode(api, version, correlationId, message) };
  }

  encode({ codec }: KnownApi, apiVersion: number, correlationId: number, message: Message): Buffer {
    const writer = new Writer(true);
    const clientId = this.#random.chance(0.9) ? 'fuzz' : this.#random.chance(0.5) ? null : this.#text();
    encodeRequestHeader(
      writer,
      { apiKey: codec.apiKey, apiVersion, correlationId, clientId },
      isFlexible(codec, apiVersion),
    );
    codec.encodeRequest(writer, message, apiVersion);
    return Buffer.concat(writer.finish());
  }

  #struct(fields: readonly Field[], version: number): Message {
    const message: Message = {};
    for (const field of fields) message[field.name] = this.#value(field, version);
    return message;
  }

  #value(field: Field, version: number): unknown {
    const present = includes(field.versions, version);
    if (present && field.nullable !== null && includes(field.nullable, version) && this.#random.chance(0.2))
      return null;
    if (!field.array) return this.#single(field, version);
    const counts = [0, 1, 1, 1, 2, 3, this.#elementsLeft];
    const count = present ? Math.min(oneOf(this.#random, counts), this.#elementsLeft) : 0;
    this.#elementsLeft -= count;
    const items = Array.from({ length: count }, () => this.#single(field, version));
    // The same thing several times is what many a handler does not expect.
    if (count > 1 && this.#random.chance(0.2)) return items.map(() => items[0]);
    return items;
  }

  #single({ type, name, fields }: Field, version: number): unknown {
    const random = this.#random;
    switch (type) {
      case 'struct':
        return this.#struct(fields, version);
      case 'boolean':
        return random.chance(0.5);
      case 'string':
        return this.#string(name);
      case 'uuid':
        return this.#uuid();
      case 'bytes':
        return this.#bytes();
      case 'records':
        return someRecords(random, this.#world.producerIds) ?? new Uint8Array();
      case 'float64':
        return oneOf(random, [0, -1.5, Infinity, NaN]);
      default:
        return this.#integer(type, name);
    }
  }

  #integer(type: string, name: string): number {
    const random = this.#random;
    if (/(Ms|Timeout)$/.test(name) && type === 'int32') return random.below(longestMs);
    if (random.chance(0.5)) {
      if (/^(partition|partitionIndex|index)$/.test(name)) return random.below(9);
      if (/[oO]ffset$/.test(name)) return random.below(30);
      if (name === 'sessionId') return oneOf(random, this.#world.sessionIds);
      if (name === 'producerId') return oneOf(random, this.#world.producerIds);
      if (/[eE]poch$|generationId/.test(name)) return random.below(3) - 1;
      if (name === 'resourceType') return oneOf(random, [2, 2, 2, 32, 16, 8]);
      if (name === 'maxBytes' || name === 'partitionMaxBytes') return 1 << 20;
    }
    // Settings of the whole broker are left alone: they are there for all.
    if (name === 'resourceType') return oneOf(random, [0, 1, 2, 8, 16, 32, 127, -1]);
    if (name === 'acks') return oneOf(random, [-1, 0, 1, 1, -1, 2]);
    const bounds = integerBounds[type]!;
    if (random.chance(0.7)) return oneOf(random, bounds);
    if (type === 'int64') return random.nextUint32() * 2 ** random.below(31) * (random.chance(0.5) ? 1 : -1);
    const shift = type === 'int8' ? 24 : type.endsWith('16') ? 16 : 0;
    return type === 'uint16' ? random.nextUint32() >>> 16 : random.nextUint32() >> shift;
  }

  #string(name: string): string {
    const random = this.#random;
    const world = this.#world;
    if (random.chance(0.75)) {
      if (/^(topic|topicName|topicNames|name|resourceName|topics)$/.test(name)) return oneOf(random, world.topics);
      if (/^(groupId|group|groups|groupsNames|key|coordinatorKeys)$/.test(name)) return oneOf(random, world.groups);
      if (/[mM]emberId$|^leader$/.test(name)) return oneOf(random, world.memberIds);
      if (name === 'protocolType') return 'consumer';
      if (name === 'protocolName') return 'range';
    }
    if (name === 'value')
      return oneOf(random, ['1', '-1', 'compact', 'delete', '100', 'x', '', 'true', '9223372036854775807']);
    return this.#text();
  }

  #text(): string {
    const random = this.#random;
    switch (random.below(9)) {
      case 0:
        return '';
      case 1:
        return 'x'.repeat(maxStringBytes - random.below(4));
      case 2:
        return '€'.repeat(Math.floor(maxStringBytes / 3));
      case 3:
        return oneOf(random, [
          '.',
          '..',
          '../../etc/passwd',
          'a/b',
          'a\0b',
          '\u{1f600}',
          '\ufeff',
          '__proto__',
          'constructor',
        ]);
      case 4:
        return 'x'.repeat(random.below(600));
      case 5:
        return oneOf(random, ['retention.ms', 'cleanup.policy', 'max.message.bytes', 'segment.bytes', 'millrace.sync']);
      default:
        return `fuzz-${random.below(40)}`;
    }
  }

  #uuid(): Uuid {
    return this.#random.chance(0.7) ? oneOf(this.#random, this.#world.topicIds) : zeroUuid;
  }

  #bytes(): Uint8Array {
    const bytes = new Uint8Array(oneOf(this.#random, [0, 1, 10, 100, 5000]));
    this.#random.fill(bytes);
    return bytes;
  }
}

function includes({ from, to }: Versions, version: number): boolean {
  return version >= from && version <= to;
}
