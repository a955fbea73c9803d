/**
 * What a fuzzer puts where records belong: good batches, and every way to be none: other formats, wrong sums, lying
 * lengths and counts, bodies that do not inflate or inflate to far too much.
 */

import type { SeededRandom } from '../../src/base/random.ts';
import { BatchBuilder, type BatchOptions } from '../../src/records/batch-builder.ts';
import { writeInt32 } from '../../src/records/big-endian.ts';
import { crc32c } from '../../src/records/crc32c.ts';
import { batchField } from '../../src/records/record-batch.ts';
import { compressors } from '../records/frames.ts';
import { oneOf } from './choice.ts';

const headerPlaces = Object.values(batchField).filter((place) => place < batchField.records);
const boundaries = [0, 1, -1, 2, 61, 0x7f, 0xff, 0x7fff, 0x7fff_ffff, -0x8000_0000];

/** A batch that a broker takes, where its producer is new or has none. */
export function goodBatch(random: SeededRandom, options: BatchOptions = {}): Uint8Array {
  const builder = new BatchBuilder(crc32c, options);
  const count = 1 + random.below(8);
  for (let i = 0; i < count; i++) {
    const value = new Uint8Array(random.below(200));
    random.fill(value);
    const headers = random.chance(0.2) ? [{ key: 'h', value: random.chance(0.5) ? null : value }] : [];
    const key = random.chance(0.8) ? Uint8Array.of(random.below(256)) : null;
    builder.append({
      key,
      value: random.chance(0.1) ? null : value,
      timestampMs: Date.now() - random.below(1000),
      headers,
    });
  }
  if (random.chance(0.5)) return builder.seal();
  const { codec, compress } = compressors[oneOf(random, Object.keys(compressors))]!;
  return builder.sealCompressed(codec, compress(builder.body.slice()));
}

/** The batch of one record of `sizeBytes` zeros, compressed: few bytes that stand for many. */
export function bomb(codecName: string, sizeBytes: number): Uint8Array {
  const builder = new BatchBuilder(crc32c);
  builder.append({ key: Uint8Array.of(1), value: new Uint8Array(sizeBytes), timestampMs: Date.now() });
  const { codec, compress } = compressors[codecName]!;
  return builder.sealCompressed(codec, compress(builder.body.slice()));
}

/** A record set of the message formats 0 and 1, as producers before Kafka 0.11 sent it: one message. */
export function oldMessage(magic: 0 | 1): Uint8Array {
  const value = Buffer.from('old');
  const size = 4 + 1 + 1 + (magic === 1 ? 8 : 0) + 4 + 4 + value.length;
  const bytes = Buffer.alloc(12 + size);
  bytes.writeInt32BE(size, 8);
  bytes[16] = magic;
  let at = 18 + (magic === 1 ? 8 : 0);
  at = bytes.writeInt32BE(-1, at);
  at = bytes.writeInt32BE(value.length, at);
  value.copy(bytes, at);
  return bytes;
}

/** The batch with its CRC put right for what it says now. */
export function withRightCrc(batch: Uint8Array): Uint8Array {
  writeInt32(batch, batchField.crc, crc32c(batch.subarray(batchField.attributes)));
  return batch;
}

/** Something in the place of records. */
export function someRecords(random: SeededRandom, producerIds: readonly number[]): Uint8Array | null {
  const idempotent = random.chance(0.3);
  const options: BatchOptions = idempotent
    ? { producerId: oneOf(random, producerIds), producerEpoch: random.below(2), baseSequence: random.below(3) }
    : { transactional: random.chance(0.02), control: random.chance(0.02) };
  const batch = goodBatch(random, options).slice();
  switch (random.below(12)) {
    case 0:
      return null;
    case 1:
      return oldMessage(random.chance(0.5) ? 0 : 1);
    case 2: {
      // A field of the header that lies, in a batch whose CRC is right nevertheless.
      const view = new DataView(batch.buffer, batch.byteOffset);
      view.setInt32(Math.min(oneOf(random, headerPlaces), batchField.records - 4), oneOf(random, boundaries));
      return random.chance(0.7) ? withRightCrc(batch) : batch;
    }
    case 3:
      // Records that are not what the header says.
      batch[batchField.records + random.below(batch.length - batchField.records)]! ^= 1 << random.below(8);
      return withRightCrc(batch);
    case 4:
      return batch.subarray(0, random.below(batch.length));
    case 5:
      return Buffer.concat([batch, random.chance(0.5) ? batch : Buffer.alloc(1 + random.below(90))]);
    case 6:
      return bomb(oneOf(random, Object.keys(compressors)), 1 << (16 + random.below(9)));
    default:
      return batch;
  }
}
