import { expect, it } from 'vitest';
import { firstOffset } from '../../src/base/numbers.ts';
import { encodeKeyedBatch, readKeyedBatches, type KeyedRecord } from '../../src/broker/keyed-batch.ts';

it('gives records that stay when the bytes they came in are used again, be they a Buffer or not', () => {
  const written: KeyedRecord[] = [
    { key: Uint8Array.of(1, 2), value: Uint8Array.of(3, 4, 5) },
    { key: Uint8Array.of(6), value: null },
  ];
  const batch = encodeKeyedBatch(written, 1000);
  for (const bytes of [Buffer.from(batch), new Uint8Array(batch)]) {
    const read: KeyedRecord[] = [];
    expect(readKeyedBatches(bytes, firstOffset, (record) => read.push(record))).toBe(2);
    bytes.fill(0xdb);
    expect(read).toEqual(written);
  }
});
