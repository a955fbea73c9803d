import fc from 'fast-check';
import { expect, it } from 'vitest';
import { BatchEncoder, encodeHeaders } from '../../src/gateway/batch-encoder.ts';
import { encodeIdentity, identityHeaderCount, readIdentity } from '../../src/records/named-records.ts';
import { RecordReader } from '../../src/records/record-reader.ts';
import { BufferPool } from '../../src/storage/buffer-pool.ts';

const field = fc.option(fc.uint8Array({ maxLength: 200 }), { nil: null });
const headers = fc.array(fc.record({ key: fc.string({ maxLength: 20 }), value: field }), { maxLength: 130 });

it('a batch whose last record was extended reads as it was appended, with the headers behind its own', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ key: field, value: field, own: headers }), {
        minLength: 1,
        maxLength: 8,
      }),
      fc.stringMatching(/^[\x21-\x7e]{1,128}$/),
      fc.maxSafeNat(),
      (records, name, number) => {
        const encoder = new BatchEncoder(new BufferPool(), 64);
        for (const { key, value, own } of records) {
          encoder.append(key, value, 0, value?.length ?? 0, 1000, encodeHeaders(own));
        }
        encoder.extendLast(encodeIdentity(name, number), identityHeaderCount);
        const batch = encoder.finish().slice();
        expect(readIdentity(batch, 0, batch.length)).toEqual({ name, number });
        const reader = new RecordReader(batch, 0, batch.length);
        for (const [i, { key, value, own }] of records.entries()) {
          expect(reader.next()).toBe(true);
          expect(reader.key).toEqual(key);
          expect(reader.value).toEqual(value);
          const expected = own.map((header) => ({ ...header, key: wellFormed(header.key) }));
          const found = reader.headers();
          expect(i === records.length - 1 ? found.slice(0, -identityHeaderCount) : found).toEqual(expected);
        }
        expect(reader.next()).toBe(false);
      },
    ),
  );
});

function wellFormed(text: string): string {
  return new TextDecoder().decode(new TextEncoder().encode(text));
}
