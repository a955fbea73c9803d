import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arbitraryBatch } from './batch-arbitraries.ts';
import { batchBytes, bodyBytes, headerBytes } from './batch-twin.ts';
import { arena, inputAddress, outputAddress, place } from './core-arena.ts';

const { core, bytes: memory } = arena;

function written(address: number, sizeBytes: number): Buffer {
  return Buffer.from(memory.slice(address, address + sizeBytes));
}

describe('encodeRecord and encodeBatchHeader', () => {
  it("write the twin's bytes, within the room that callers reserve", () => {
    fc.assert(
      fc.property(arbitraryBatch, ({ batch, records }) => {
        let end = outputAddress + 61;
        for (const { offsetDelta, timestampDelta, key, value, headers } of records) {
          const keyAddress = place(key ?? new Uint8Array(0), inputAddress);
          const valueAddress = place(value ?? new Uint8Array(0), inputAddress + 1000);
          const headersInWireForm = headerBytes(headers);
          const headersAddress = place(headersInWireForm, inputAddress + 2000);
          const keySizeBytes = key?.length ?? -1;
          const valueSizeBytes = value?.length ?? -1;
          const sizeBytes = core.encodeRecord(
            end,
            offsetDelta,
            timestampDelta,
            keyAddress,
            keySizeBytes,
            valueAddress,
            valueSizeBytes,
            headersAddress,
            headersInWireForm.length,
            headers.length,
          );
          expect(sizeBytes).toBeLessThanOrEqual(keySizeBytes + valueSizeBytes + headersInWireForm.length + 40);
          end += sizeBytes;
        }
        core.encodeBatchHeader(
          outputAddress,
          end - outputAddress - 61,
          records.length,
          batch.attributes,
          batch.baseTimestamp,
          batch.maxTimestamp,
          batch.producerId,
          batch.producerEpoch,
          batch.baseSequence,
        );
        const expected = batchBytes({ ...batch, baseOffset: 0, leaderEpoch: -1 }, bodyBytes(records));
        expect(written(outputAddress, end - outputAddress)).toEqual(Buffer.from(expected));
      }),
    );
  });
});

describe('changes in place', () => {
  it('are those of a batch built anew', () => {
    fc.assert(
      fc.property(
        arbitraryBatch,
        fc.nat(2 ** 52),
        fc.nat(2 ** 31 - 1),
        fc.nat(2 ** 42),
        (given, offset, epoch, time) => {
          const body = bodyBytes(given.records);
          const assigned = { ...given.batch, baseOffset: offset, leaderEpoch: epoch };
          const address = place(given.bytes);
          const size = given.bytes.length;
          core.assignOffsets(address, offset, epoch);
          expect(written(address, size)).toEqual(Buffer.from(batchBytes(assigned, body)));
          core.setMaxTimestamp(address, time);
          const corrected = { ...assigned, maxTimestamp: time, attributes: given.batch.attributes & ~8 };
          expect(written(address, size)).toEqual(Buffer.from(batchBytes(corrected, body)));
          core.stampLogAppendTime(address, time + 1);
          const stamped = { ...assigned, maxTimestamp: time + 1, attributes: given.batch.attributes | 8 };
          expect(written(address, size)).toEqual(Buffer.from(batchBytes(stamped, body)));
        },
      ),
    );
  });
});
