import { expect, test } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import { randomUuid } from '../../src/base/uuid.ts';
import type { KeyedRecord } from '../../src/broker/keyed-batch.ts';
import {
  brokerConfigRecord,
  MetadataImage,
  producerIdsRecord,
  topicRecord,
  topicRemovedRecord,
} from '../../src/broker/metadata-image.ts';

const random = new SeededRandom(1);
const first = { name: 'a.b', id: randomUuid(random), partitionCount: 3, configs: new Map([['retention.ms', '5']]) };
const second = { name: 'c', id: randomUuid(random), partitionCount: 1, configs: new Map() };

function imageOf(records: Iterable<KeyedRecord>): MetadataImage {
  const image = new MetadataImage();
  for (const record of records) image.apply(record);
  return image;
}

const raw = (key: string, value: string | null): KeyedRecord => ({
  key: new TextEncoder().encode(key),
  value: value === null ? null : new TextEncoder().encode(value),
});

test('holds topics by name and id', () => {
  const image = imageOf([topicRecord(first), topicRecord(second)]);
  expect(image.topic('a.b')).toEqual(first);
  expect(image.topicById(second.id)).toEqual(second);
  expect([image.topicCount, image.partitionCount]).toEqual([2, 4]);
  expect(image.collidingTopic('a_b')).toBe('a.b');
  expect(image.collidingTopic('a.b')).toBeNull();
});

test('the newest record of a topic counts, and null takes it away', () => {
  const grown = { ...first, partitionCount: 7 };
  const image = imageOf([topicRecord(first), topicRecord(grown)]);
  expect([image.topic('a.b'), image.partitionCount]).toEqual([grown, 7]);
  image.apply(topicRemovedRecord('a.b'));
  expect([image.topic('a.b'), image.topicById(first.id), image.partitionCount]).toEqual([null, null, 0]);
  expect(image.collidingTopic('a_b')).toBeNull();
});

test('a topic made anew has its new id only', () => {
  const image = imageOf([topicRecord(first), topicRecord({ ...first, id: second.id })]);
  expect(image.topicById(first.id)).toBeNull();
  expect(image.topicById(second.id)?.name).toBe('a.b');
});

test('a snapshot rebuilds the image', () => {
  const image = imageOf([
    topicRecord(second),
    topicRecord(first),
    brokerConfigRecord('', new Map([['log.retention.ms', '9']])),
    brokerConfigRecord('0', new Map([['message.max.bytes', '1']])),
    brokerConfigRecord('0', new Map()),
    producerIdsRecord(3000),
  ]);
  const { features, quotas, scramCredentials, groupConfigs, clientMetrics } = image;
  image.apply(features.record('group.version', 0));
  image.apply(quotas.record(new Map([['user', null]]), new Map([['producer_byte_rate', 5]])));
  image.apply(groupConfigs.record('g', new Map([['share.auto.offset.reset', 'earliest']])));
  image.apply(clientMetrics.record('m', new Map([['interval.ms', '100']])));
  image.apply(clientMetrics.record('gone', new Map()));
  const salted = { iterations: 4096, salt: new Uint8Array(4), saltedPassword: new Uint8Array(32) };
  const credential = scramCredentials.upsertion({ name: 'alice', mechanism: 1, ...salted });
  if ('errorCode' in credential) throw new Error('the credential is good');
  image.apply(credential);
  const again = imageOf(image.snapshot());
  expect([...again.topics()]).toEqual([...image.topics()]);
  expect(again.nextProducerId).toBe(3000);
  expect(again.brokerConfigs('')).toEqual(new Map([['log.retention.ms', '9']]));
  expect(again.brokerConfigs('0').size).toBe(0);
  expect(again.features.level('group.version')).toBe(0);
  expect([...again.clientMetrics.entries()]).toEqual([['m', new Map([['interval.ms', '100']])]]);
  expect([...again.snapshot()]).toHaveLength(9);
  expect([...again.snapshot()]).toEqual([...image.snapshot()]);
});

test.each([
  ['not JSON', raw('topic', null)],
  ['not UTF-8', { key: new Uint8Array([0xff]), value: null }],
  ['a key that is no list', raw('{}', null)],
  ['a value that is no object', raw('["topic","t"]', '[]')],
  ['no version', raw('["topic","t"]', '{}')],
  ['no id', raw('["topic","t"]', '{"version":1,"partitions":1,"configs":{}}')],
  ['a count below zero', raw('["producer-ids"]', '{"version":1,"next":-1}')],
  ['a setting that is no text', raw('["broker-config",""]', '{"version":1,"configs":{"a":1}}')],
])('reports damage: %s', (_, record) => {
  expect(() => imageOf([record])).toThrow(expect.objectContaining({ code: 'DATA_CORRUPT' }));
});

test.each([
  ['a version', raw('["topic","t"]', '{"version":2}')],
  ['a kind', raw('["quota","x"]', null)],
])('reports %s that a newer Millrace wrote', (_, record) => {
  expect(() => imageOf([record])).toThrow(expect.objectContaining({ code: 'DATA_DIRECTORY_NEWER' }));
});
