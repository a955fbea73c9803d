import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EnvironmentErrorCode } from '../../../src/base/environment-error.ts';
import { SeededRandom } from '../../../src/base/random.ts';
import { randomUuid } from '../../../src/base/uuid.ts';
import { newTransactionImage } from '../../../src/broker/transactions/transaction.ts';
import { offsetsPartitionOf, TransactionPartitions } from '../../../src/broker/transactions/transaction-partitions.ts';
import {
  readTransactionImage,
  readTransactionKey,
  transactionKey,
  transactionRecord,
} from '../../../src/broker/transactions/transaction-records.ts';
import { transactionStates } from '../../../src/broker/transactions/transaction-state.ts';

const ids = Array.from({ length: 3 }, (_, i) => randomUuid(new SeededRandom(i + 1)));

test('a transaction reads as it was written', () => {
  const places = fc.array(fc.record({ topic: fc.nat(2), partition: fc.nat(1000) }));
  const fields = fc.record({
    state: fc.constantFrom(...transactionStates),
    producerEpoch: fc.integer({ min: -1, max: 32_767 }),
    nextProducerId: fc.integer({ min: -1, max: Number.MAX_SAFE_INTEGER }),
    startedMs: fc.integer({ min: -1, max: 2 ** 45 }),
    version: fc.constantFrom(0 as const, 2 as const),
  });
  fc.assert(
    fc.property(fc.string(), fields, places, (id, changes, added) => {
      const named = added.map(({ topic, partition }) => ({ topic: `topic-${topic}`, topicId: ids[topic]!, partition }));
      const partitions = TransactionPartitions.none.with(named);
      const image = { ...newTransactionImage(17, 60_000, 1234), ...changes, partitions };
      const { key, value } = transactionRecord(id, image);
      expect(readTransactionKey(key)).toBe(id);
      const { partitions: read, ...rest } = readTransactionImage(value!);
      expect({ ...rest, topics: [...read.topics()] }).toEqual({
        ...image,
        partitions: undefined,
        topics: [...partitions.topics()],
      });
    }),
  );
});

test('bytes that are no record are refused, each with its reason', () => {
  const { key, value } = transactionRecord('id', newTransactionImage(1, 1, 1));
  expect(() => readTransactionImage(value!.subarray(0, 20))).toThrowError(
    expect.objectContaining({ code: EnvironmentErrorCode.DATA_CORRUPT }),
  );
  const newerKey = Uint8Array.from(key);
  newerKey[0] = 2;
  expect(() => readTransactionKey(newerKey)).toThrowError(
    expect.objectContaining({ code: EnvironmentErrorCode.DATA_DIRECTORY_NEWER }),
  );
  const newerValue = Uint8Array.from(value!);
  newerValue[0] = 2;
  expect(() => readTransactionImage(newerValue)).toThrowError(
    expect.objectContaining({ code: EnvironmentErrorCode.DATA_DIRECTORY_NEWER }),
  );
  expect(readTransactionKey(transactionKey('another'))).toBe('another');
});

test('groups fall to partitions as in Kafka', () => {
  // Java: Math.abs("…".hashCode()) % 50; the last has the hash -2^31, which Kafka takes for 0.
  expect(offsetsPartitionOf('', 50)).toBe(0);
  expect(offsetsPartitionOf('group', 50)).toBe(98_629_247 % 50);
  expect(offsetsPartitionOf('polygenelubricants', 50)).toBe(0);
});
