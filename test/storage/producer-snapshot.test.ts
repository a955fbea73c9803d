import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeProducerSnapshot, encodeProducerSnapshot } from '../../src/storage/producer-snapshot.ts';
import type { ProducerEntry } from '../../src/storage/producer-state.ts';

const int32 = { min: 0, max: 2 ** 31 - 1 };
const entries: fc.Arbitrary<ProducerEntry[]> = fc.array(
  fc
    .record({
      producerId: fc.maxSafeNat(),
      producerEpoch: fc.integer({ min: -1, max: 32767 }),
      lastSequence: fc.integer({ min: -1, max: int32.max }),
      firstOffset: fc.nat(2 ** 31 - 1),
      offsetDelta: fc.integer(int32),
      timestampMs: fc.maxSafeInteger().map((value) => value + 0),
      coordinatorEpoch: fc.integer({ min: -1, max: int32.max }),
      currentTransactionFirstOffset: fc.oneof(fc.constant(-1), fc.maxSafeNat()),
    })
    .map(({ firstOffset, ...entry }) => ({ ...entry, lastOffset: firstOffset + entry.offsetDelta })),
  { maxLength: 8 },
);

describe('producer snapshot', () => {
  it('comes back as it was', () => {
    fc.assert(
      fc.property(entries, (given) => {
        expect(decodeProducerSnapshot(encodeProducerSnapshot(given))).toEqual({ entries: given, damage: null });
      }),
    );
  });

  it('has the layout of Kafka', () => {
    const bytes = encodeProducerSnapshot([
      {
        producerId: 0x0102030405,
        producerEpoch: 6,
        lastSequence: 0x0708,
        lastOffset: 0x090a,
        offsetDelta: 0x0b,
        timestampMs: 0x0c,
        coordinatorEpoch: -1,
        currentTransactionFirstOffset: -1,
      },
    ]);
    const hex = Buffer.from(bytes).toString('hex');
    expect(hex.slice(0, 4)).toBe('0001');
    expect(hex.slice(12)).toBe(
      '00000001' +
        '0000000102030405' +
        '0006' +
        '00000708' +
        '000000000000090a' +
        '0000000b' +
        '000000000000000c' +
        'ffffffff' +
        'ffffffffffffffff',
    );
  });

  it('is refused with any bit flipped and at any other length', () => {
    fc.assert(
      fc.property(entries, fc.nat(), fc.nat(), (given, at, cut) => {
        const bytes = encodeProducerSnapshot(given);
        const flipped = bytes.slice();
        flipped[(at >>> 3) % bytes.length]! ^= 1 << (at & 7);
        expect(decodeProducerSnapshot(flipped).damage).not.toBeNull();
        expect(decodeProducerSnapshot(bytes.subarray(0, cut % bytes.length)).damage).not.toBeNull();
        expect(decodeProducerSnapshot(Uint8Array.of(...bytes, 0)).damage).not.toBeNull();
      }),
    );
  });

  it('is refused where a value is out of range though the checksum fits', () => {
    const sound = {
      producerId: 1,
      producerEpoch: 0,
      lastSequence: 0,
      lastOffset: 5,
      offsetDelta: 0,
      timestampMs: 0,
      coordinatorEpoch: -1,
      currentTransactionFirstOffset: -1,
    };
    expect(decodeProducerSnapshot(encodeProducerSnapshot([sound])).damage).toBeNull();
    for (const wrong of [
      { producerId: -1 },
      { producerId: 2 ** 60 },
      { lastSequence: -2 },
      { lastOffset: -2 },
      { offsetDelta: 6 },
      { currentTransactionFirstOffset: -2 },
    ]) {
      expect(decodeProducerSnapshot(encodeProducerSnapshot([{ ...sound, ...wrong }])).damage).not.toBeNull();
    }
  });
});
