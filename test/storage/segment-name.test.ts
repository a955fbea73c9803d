import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { asOffset } from '../../src/base/numbers.ts';
import {
  deletedPartitionDirectoryName,
  isDeletedPartitionDirectoryName,
  isTopicName,
  parsePartitionDirectoryName,
  parseSegmentFileName,
  partitionDirectoryName,
  segmentFileName,
} from '../../src/storage/segment-name.ts';

const topicCharacters = [...'abzAZ019._-'];
const topics = fc
  .array(fc.constantFrom(...topicCharacters), { minLength: 1, maxLength: 249 })
  .map((characters) => characters.join(''))
  .filter((topic) => topic !== '.' && topic !== '..');
const id = '0123456789abcdef0123456789abcdef';

describe('segment names', () => {
  it('have 20 digits, and come back', () => {
    expect(segmentFileName(asOffset(1234), 'log')).toBe('00000000000000001234.log');
    fc.assert(
      fc.property(
        fc.maxSafeNat(),
        fc.constantFrom(
          'log' as const,
          'index' as const,
          'timeindex' as const,
          'txnindex' as const,
          'snapshot' as const,
        ),
        (offset, kind) => {
          const name = segmentFileName(asOffset(offset), kind);
          expect(name.split('.')[0]).toHaveLength(20);
          expect(parseSegmentFileName(name)).toEqual({ baseOffset: offset, kind });
        },
      ),
    );
  });

  it.each([
    '1234.log',
    '000000000000000001234.log',
    '0000000000000000123.log',
    '00000000000000001234.txt',
    '00000000000000001234.log.deleted',
    '00000000000000001234.log.tmp',
    '00000000000000001234.log\n',
    '-0000000000000001234.log',
    '99999999999999999999.log',
    '00000000000000001234',
  ])('refuse %j', (name) => {
    expect(parseSegmentFileName(name)).toBeNull();
  });
});

describe('partition directory names', () => {
  it('come back, whatever dashes and digits the topic has', () => {
    expect(parsePartitionDirectoryName('a-1-2')).toEqual({ topic: 'a-1', partition: 2 });
    fc.assert(
      fc.property(topics, fc.nat(2 ** 31 - 1), (topic, partition) => {
        const name = partitionDirectoryName(topic, partition);
        expect(parsePartitionDirectoryName(name)).toEqual({ topic, partition });
        expect(isDeletedPartitionDirectoryName(name)).toBe(false);
      }),
    );
  });

  it('on their way out are told from those in use, and fit a file system', () => {
    expect(deletedPartitionDirectoryName('orders', 0, id)).toBe(`orders-0.${id}-delete`);
    fc.assert(
      fc.property(topics, fc.nat(2 ** 31 - 1), (topic, partition) => {
        const name = deletedPartitionDirectoryName(topic, partition, id);
        expect(name.length).toBeLessThanOrEqual(255);
        expect(isDeletedPartitionDirectoryName(name)).toBe(true);
        expect(parsePartitionDirectoryName(name)).toBeNull();
      }),
    );
  });

  it.each([
    'orders',
    'orders-',
    '-0',
    'orders-01',
    'orders--1x',
    'orders-2147483648',
    'or ders-0',
    '.-0',
    '..-0',
    'ö-0',
  ])('refuse %j', (name) => {
    expect(parsePartitionDirectoryName(name)).toBeNull();
  });

  it('allow the topics that Kafka allows', () => {
    expect(isTopicName('a'.repeat(249))).toBe(true);
    for (const topic of ['', '.', '..', 'a'.repeat(250), 'a/b', 'a b', 'ä']) expect(isTopicName(topic)).toBe(false);
  });
});
