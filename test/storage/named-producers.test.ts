import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ErrorCode } from '../../src/base/error-code.ts';
import { asOffset } from '../../src/base/numbers.ts';
import { crc32c } from '../../src/records/crc32c.ts';
import { firstNamedProducerId, largestRecordNumber } from '../../src/records/named-records.ts';
import { NamedProducers, type NamedProducerEntry } from '../../src/storage/named-producers.ts';
import { decodeNamedSnapshot, encodeNamedSnapshot } from '../../src/storage/named-snapshot.ts';
import type { NamedAppend } from '../../src/storage/partition-log.ts';

const { DUPLICATE_SEQUENCE_NUMBER, OUT_OF_ORDER_SEQUENCE_NUMBER, PRODUCER_FENCED, THROTTLING_QUOTA_EXCEEDED } =
  ErrorCode;

function batch(firstNumber: number, lastNumber = firstNumber, more: Partial<NamedAppend> = {}): NamedAppend {
  return { name: 'sensor', epoch: 0, firstNumber, lastNumber, previousNumber: null, ...more };
}

/** The state with the log's end, which grows by what is accepted. */
class Partition {
  readonly named: NamedProducers;
  end = 0;

  constructor(max = 100) {
    this.named = new NamedProducers({ used: 0, max });
  }

  /** `count` records; the error code, or the sequence that Kafka's tools see. */
  send(sent: NamedAppend, count = sent.lastNumber - sent.firstNumber + 1, nowMs = 0): number | string {
    const decision = this.named.decide(sent);
    if (decision.outcome === 'refuse') return decision.errorCode;
    const { producerId, producerEpoch, baseSequence } = decision;
    const baseOffset = asOffset(this.end);
    this.end += count;
    const applied = { producerId, producerEpoch, baseSequence, baseOffset, recordCount: count, timestampMs: 5 };
    this.named.apply(sent, applied, nowMs);
    return `sequence ${baseSequence}`;
  }
}

describe('named producers', () => {
  it('take numbers upwards with gaps, and give the batches contiguous sequences', () => {
    const partition = new Partition();
    expect(partition.send(batch(10, 12))).toBe('sequence 0');
    expect(partition.send(batch(13))).toBe('sequence 3');
    expect(partition.send(batch(1000, 2000), 2)).toBe('sequence 4');
    expect(partition.send(batch(largestRecordNumber))).toBe('sequence 6');
    expect(partition.named.lastNumberOf('sensor')).toBe(largestRecordNumber);
    expect(partition.named.lastNumberOf('other')).toBe(-1);
  });

  it('refuse what reaches back to what is stored', () => {
    const partition = new Partition();
    partition.send(batch(5, 7));
    expect(partition.send(batch(5, 7))).toBe(DUPLICATE_SEQUENCE_NUMBER);
    expect(partition.send(batch(6, 8))).toBe(DUPLICATE_SEQUENCE_NUMBER);
    expect(partition.send(batch(7, 8))).toBe(DUPLICATE_SEQUENCE_NUMBER);
    expect(partition.send(batch(8))).toBe('sequence 3');
  });

  it('say where a number lies while they know it', () => {
    const partition = new Partition();
    partition.send(batch(5, 7));
    partition.send(batch(10, 20), 3);
    expect(partition.named.find('sensor', 3)).toEqual({ endOffset: 0, offset: -1 });
    expect(partition.named.find('sensor', 6)).toEqual({ endOffset: 3, offset: 1 });
    expect(partition.named.find('sensor', 7)).toEqual({ endOffset: 3, offset: 2 });
    expect(partition.named.find('sensor', 8)).toEqual({ endOffset: 3, offset: -1 });
    expect(partition.named.find('sensor', 10)).toEqual({ endOffset: 6, offset: 3 });
    expect(partition.named.find('sensor', 15)).toEqual({ endOffset: 6, offset: -1 });
    expect(partition.named.find('sensor', 20)).toEqual({ endOffset: 6, offset: 5 });
    for (let i = 21; i < 26; i++) partition.send(batch(i));
    expect(partition.named.find('sensor', 20)).toEqual({ endOffset: 6, offset: -1 });
    expect(partition.named.find('other', 1)).toBeNull();
  });

  it('let nothing pass a number that was taken back, until it comes, or its producer knows', () => {
    const partition = new Partition();
    const { named } = partition;
    partition.send(batch(4));
    named.settleUpTo(asOffset(1));
    partition.send(batch(5));
    partition.send(batch(6, 7));
    named.rollBackTo(asOffset(1));
    partition.end = 1;
    expect(named.lastNumberOf('sensor')).toBe(4);
    expect(partition.send(batch(6, 7))).toBe(OUT_OF_ORDER_SEQUENCE_NUMBER);
    expect(partition.send(batch(6, 7, { previousNumber: 5 }))).toBe(OUT_OF_ORDER_SEQUENCE_NUMBER);
    expect(partition.send(batch(5))).toBe('sequence 1');
    expect(partition.send(batch(6, 7))).toBe('sequence 2');

    named.owe('sensor', 9);
    named.owe('sensor', 8);
    named.owe('sensor', 12);
    expect(partition.send(batch(9))).toBe(OUT_OF_ORDER_SEQUENCE_NUMBER);
    named.resume('sensor', 0);
    expect(partition.send(batch(9))).toBe('sequence 4');
    named.owe('sensor', 10);
    expect(partition.send(batch(11, 11, { previousNumber: 9 }))).toBe('sequence 5');
    expect(partition.send(batch(12))).toBe('sequence 6');
  });

  it('of whom nothing is known but what was taken back owe it too', () => {
    const partition = new Partition();
    partition.send(batch(5));
    partition.send(batch(6));
    partition.named.rollBackTo(asOffset(0));
    partition.end = 0;
    expect(partition.named.size).toBe(0);
    expect(partition.send(batch(6))).toBe(OUT_OF_ORDER_SEQUENCE_NUMBER);
    expect(partition.send(batch(5))).toBe('sequence 0');
  });

  it('hold a producer to the number that it says is before', () => {
    const partition = new Partition();
    expect(partition.send(batch(5, 5, { previousNumber: 3 }))).toBe('sequence 0');
    expect(partition.send(batch(7, 7, { previousNumber: 6 }))).toBe(OUT_OF_ORDER_SEQUENCE_NUMBER);
    expect(partition.send(batch(7, 7, { previousNumber: 5 }))).toBe('sequence 1');
  });

  it('fence what has a lower epoch than was seen or announced, and go on counting', () => {
    const partition = new Partition();
    partition.send(batch(1));
    partition.named.resume('sensor', 1);
    expect(partition.send(batch(2))).toBe(PRODUCER_FENCED);
    expect(partition.send(batch(1, 1, { epoch: 1 }))).toBe(DUPLICATE_SEQUENCE_NUMBER);
    expect(partition.send(batch(2, 2, { epoch: 1 }))).toBe('sequence 0');
    expect(partition.send(batch(3, 3, { epoch: 1 }))).toBe('sequence 1');
    expect(partition.send(batch(4))).toBe(PRODUCER_FENCED);
    expect(partition.send(batch(4, 4, { epoch: 9 }))).toBe('sequence 0');
    expect(partition.named.epochOf('sensor')).toBe(9);
  });

  it('take so many names and no more, until some expire; those that send stay', () => {
    const partition = new Partition(2);
    partition.send(batch(1, 1, { name: 'a' }), 1, 0);
    partition.send(batch(1, 1, { name: 'b' }), 1, 600);
    expect(partition.send(batch(1, 1, { name: 'c' }))).toBe(THROTTLING_QUOTA_EXCEEDED);
    expect(partition.send(batch(2, 2, { name: 'c' }))).toBe(OUT_OF_ORDER_SEQUENCE_NUMBER);
    expect(partition.named.expire(1000, 1000)).toBe(0);
    partition.named.settleUpTo(asOffset(2));
    expect(partition.named.expire(1000, 1000)).toBe(1);
    expect(partition.named.lastNumberOf('a')).toBe(-1);
    expect(partition.named.lastNumberOf('b')).toBe(1);
    expect(partition.send(batch(1, 1, { name: 'c' }))).toBe('sequence 0');
  });

  it('give names whose checksums are the same different ids', () => {
    const [a, b] = twins();
    const partition = new Partition();
    const idOf = (name: string): number => {
      partition.send(batch(1, 1, { name }));
      return [...partition.named.entries()].find((entry) => entry.name === name)!.producerId;
    };
    expect(idOf(a)).toBeGreaterThanOrEqual(firstNamedProducerId);
    expect(idOf(b)).toBe(idOf(a) + 1);
    expect(Number.isSafeInteger(idOf(b))).toBe(true);
  });

  it('are as they were before what is rolled back, whatever was sent', () => {
    const step = fc.record({
      name: fc.constantFrom('a', 'b', 'c'),
      skip: fc.integer({ min: 1, max: 3 }),
      count: fc.integer({ min: 1, max: 3 }),
      epoch: fc.constantFrom(0, 0, 0, 1, 2),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), fc.array(step, { maxLength: 30 }), (kept, undone) => {
        const partition = new Partition();
        const send = ({ name, skip, count, epoch }: (typeof kept)[number]): void => {
          const first = partition.named.lastNumberOf(name) + skip;
          partition.send(batch(first, first + count - 1, { name, epoch, previousNumber: first - skip }));
        };
        for (const one of kept) send(one);
        const before = encodeNamedSnapshot(partition.named.entries());
        const { end } = partition;
        for (const one of undone) send(one);
        partition.named.rollBackTo(asOffset(end));
        const after = decodeNamedSnapshot(encodeNamedSnapshot(partition.named.entries())).entries!;
        const sorted = (entries: readonly NamedProducerEntry[]) =>
          entries.toSorted((x, y) => (x.name < y.name ? -1 : 1));
        expect(sorted(after)).toEqual(sorted(decodeNamedSnapshot(before).entries!));
      }),
    );
  });
});

describe('a snapshot of named producers', () => {
  const entry: NamedProducerEntry = {
    name: 'sensor',
    producerId: firstNamedProducerId + 7,
    producerEpoch: 3,
    lastSequence: 2 ** 31 - 1,
    lastUseMs: 1_700_000_000_000,
    batches: [
      { firstNumber: -1, lastNumber: 5, lastOffset: 9, recordCount: 4, timestampMs: -1 },
      { firstNumber: 6, lastNumber: largestRecordNumber, lastOffset: 10, recordCount: 1, timestampMs: 12 },
    ],
  };

  it('reads as it was written', () => {
    const entries = [entry, { ...entry, name: 'x'.repeat(128), producerId: 2 ** 53 - 1, batches: [entry.batches[1]!] }];
    expect(decodeNamedSnapshot(encodeNamedSnapshot(entries)).entries).toEqual(entries);
    expect(decodeNamedSnapshot(encodeNamedSnapshot([])).entries).toEqual([]);
  });

  it('is damaged where a bit is another or the end is missing', () => {
    const bytes = encodeNamedSnapshot([entry]);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const other = bytes.slice();
      other[bit >> 3]! ^= 1 << (bit & 7);
      expect(decodeNamedSnapshot(other).entries, `bit ${bit}`).toBeNull();
    }
    for (let size = 0; size < bytes.length; size++) {
      expect(decodeNamedSnapshot(bytes.subarray(0, size)).entries, `size ${size}`).toBeNull();
    }
  });

  it('is damaged where what it says cannot be', () => {
    const [first, second] = entry.batches;
    const wrong: Partial<NamedProducerEntry>[] = [
      { producerId: 5 },
      { producerEpoch: -1 },
      { name: 'a b' },
      { name: '' },
      { batches: [] },
      { batches: [second!, first!] },
      { batches: [{ ...first!, firstNumber: 6 }] },
      { batches: [{ ...first!, recordCount: 0 }] },
      { batches: [{ ...first!, recordCount: 11 }] },
      { batches: [{ ...first!, lastNumber: -1 }] },
      { batches: Array.from({ length: 6 }, (_, i) => ({ ...second!, firstNumber: i, lastNumber: i, lastOffset: i })) },
    ];
    for (const change of wrong) {
      const { damage } = decodeNamedSnapshot(encodeNamedSnapshot([{ ...entry, ...change }]));
      expect(damage, JSON.stringify(change)).toContain('out of range');
    }
  });
});

/** Two names whose CRC-32C is the same. */
function twins(): [string, string] {
  const seen = new Map<number, string>();
  const encoder = new TextEncoder();
  for (let i = 0; ; i++) {
    const name = `name-${(i * 2654435761) % 2 ** 32}-${i}`;
    const checksum = crc32c(encoder.encode(name));
    const other = seen.get(checksum);
    if (other !== undefined) return [other, name];
    seen.set(checksum, name);
  }
}
