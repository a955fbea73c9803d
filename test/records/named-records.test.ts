import fc from 'fast-check';
import { expect, it, describe } from 'vitest';
import { buildBatch, type RecordToWrite } from '../../src/records/batch-builder.ts';
import { crc32c } from '../../src/records/crc32c.ts';
import {
  encodeIdentity,
  identityHeaderCount,
  isProducerName,
  isRecordNumber,
  largestRecordNumber,
  producerHeaderKey,
  readIdentity,
  sequenceHeaderKey,
} from '../../src/records/named-records.ts';
import { batchHeaderSizeBytes } from '../../src/records/record-batch.ts';
import { RecordReader } from '../../src/records/record-reader.ts';

const utf8 = new TextEncoder();
const name = fc.stringMatching(/^[\x21-\x7e]{1,128}$/);
const number = fc.oneof(fc.maxSafeNat(), fc.constantFrom(0, 9, 10, largestRecordNumber));
const field = fc.option(fc.uint8Array({ maxLength: 300 }), { nil: null });
const ownHeaders = fc.array(
  fc.record({ key: fc.constantFrom('a', producerHeaderKey, sequenceHeaderKey), value: field }),
  {
    maxLength: 3,
  },
);
const records = fc.array(fc.record({ key: field, value: field, timestampMs: fc.nat(), headers: ownHeaders }), {
  minLength: 1,
  maxLength: 20,
});

function identityHeaders(of: string, at: number) {
  return [
    { key: producerHeaderKey, value: utf8.encode(of) },
    { key: sequenceHeaderKey, value: utf8.encode(String(at)) },
  ];
}

function withIdentity(all: readonly RecordToWrite[], of: string, at: number): Uint8Array {
  const last = all.at(-1)!;
  const headers = [...(last.headers ?? []), ...identityHeaders(of, at)];
  return buildBatch(crc32c, [...all.slice(0, -1), { ...last, headers }]);
}

describe('the identity of a named batch', () => {
  it('is read from the last two headers of the last record, whatever else a batch holds', () => {
    fc.assert(
      fc.property(records, name, number, fc.nat(40), (all, of, at, before) => {
        const batch = withIdentity(all, of, at);
        const bytes = new Uint8Array(before + batch.length + 5).fill(0xff);
        bytes.set(batch, before);
        expect(readIdentity(bytes, before, before + batch.length)).toEqual({ name: of, number: at });
      }),
    );
  });

  it('is encoded as any header is', () => {
    fc.assert(
      fc.property(name, number, (of, at) => {
        const plain = { key: null, value: null, timestampMs: 0 };
        const batch = withIdentity([plain], of, at);
        const wire = encodeIdentity(of, at);
        expect(batch.subarray(batch.length - wire.length)).toEqual(wire);
        const reader = new RecordReader(batch, 0, batch.length);
        reader.next();
        expect(reader.headers()).toEqual(identityHeaders(of, at));
        expect(reader.headerCount).toBe(identityHeaderCount);
      }),
    );
  });

  it('is none where the headers are others, or the number is none', () => {
    const none = (headers: RecordToWrite['headers']) => {
      const batch = buildBatch(crc32c, [{ key: null, value: null, timestampMs: 0, headers: headers ?? [] }]);
      expect(readIdentity(batch, 0, batch.length)).toBeNull();
    };
    const [producer, sequence] = identityHeaders('a', 1);
    none([]);
    none([producer!]);
    none([sequence!, producer!]);
    none([producer!, sequence!, { key: 'later', value: null }]);
    none([producer!, { key: sequenceHeaderKey, value: null }]);
    none([{ key: producerHeaderKey, value: new Uint8Array() }, sequence!]);
    none([{ key: producerHeaderKey, value: new Uint8Array(129).fill(65) }, sequence!]);
    for (const text of ['', '-1', '01', '1.5', '1e3', '9007199254740992', '99999999999999999']) {
      none([producer!, { key: sequenceHeaderKey, value: utf8.encode(text) }]);
    }
  });

  it('is none, and no error, where records are cut or wrong', () => {
    fc.assert(
      fc.property(records, fc.nat(), fc.nat(255), (all, at, byte) => {
        const batch = withIdentity(all, 'a', 7);
        batch[batchHeaderSizeBytes + (at % (batch.length - batchHeaderSizeBytes))] = byte;
        readIdentity(batch, 0, batch.length);
        readIdentity(batch, 0, Math.max(batchHeaderSizeBytes, at % batch.length));
      }),
    );
  });

  it('knows which names and numbers there are', () => {
    expect(['a', 'sensor-7/x:9', 'A'.repeat(128)].every(isProducerName)).toBe(true);
    expect(['', ' ', 'a b', 'é', 'a\n', 'A'.repeat(129)].some(isProducerName)).toBe(false);
    expect([0, 1, largestRecordNumber].every(isRecordNumber)).toBe(true);
    expect([-1, 0.5, largestRecordNumber + 1, NaN, Infinity].some(isRecordNumber)).toBe(false);
  });
});
