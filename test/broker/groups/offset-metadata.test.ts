/** How much metadata offsets may have together: of a group, of all, in transactions, and while it is on its way. */

import { expect, test } from 'vitest';
import { ErrorCode } from '../../../src/base/error-code.ts';
import { silentLogger, type LogFields } from '../../../src/base/logger.ts';
import type { TopicImage } from '../../../src/broker/metadata-image.ts';
import { stateLogTopics } from '../../../src/broker/topic-name.ts';
import { deleteGroupsApi, offsetCommitApi, txnOffsetCommitApi } from '../../../src/protocol/generated/index.ts';
import { BrokerHarness } from '../broker-harness.ts';
import { holdAppends } from '../hold-appends.ts';
import { TestProducer } from '../transactions/test-producer.ts';
import { settle } from './test-member.ts';

const metadata = 'x'.repeat(30_000);
/** What is not kept for groups that have little, in characters. */
const sharedLength = 48 * 1024 * 1024;
/** So many of them are all that a group may have beside no others: a sixteenth of what it leaves of that. */
const mostOfGroup = 98;

interface Committing {
  readonly groupId?: string;
  readonly first?: number;
  readonly count: number;
  readonly text?: string;
  /** Whose transaction it belongs to. */
  readonly producer?: TestProducer;
}

class Committer {
  readonly harness: BrokerHarness;
  readonly topic: TopicImage;
  readonly warnings: LogFields[];

  private constructor(harness: BrokerHarness, topic: TopicImage, warnings: LogFields[]) {
    this.harness = harness;
    this.topic = topic;
    this.warnings = warnings;
  }

  static async open(): Promise<Committer> {
    const warnings: LogFields[] = [];
    const logger = { ...silentLogger, warn: (fields: LogFields) => void warnings.push(fields) };
    const harness = await BrokerHarness.open({ config: { 'offset.metadata.max.bytes': '30000' }, logger });
    return new Committer(harness, await harness.createTopic('topic', 300), warnings);
  }

  async errorCodes({ groupId = 'group', first = 0, count, text = metadata, producer }: Committing): Promise<number[]> {
    const partitions = Array.from({ length: count }, (_, i) => ({
      ...{ partitionIndex: first + i, committedOffset: 1, committedLeaderEpoch: -1, committedMetadata: text },
    }));
    const topics = [{ name: this.topic.name, topicId: this.topic.id, partitions }];
    const answer =
      producer === undefined
        ? await this.harness.request(offsetCommitApi, 4, { groupId, generationIdOrMemberEpoch: -1, topics })
        : await this.harness.request(txnOffsetCommitApi, 5, { ...producer.identity, groupId, topics });
    return answer.topics[0]!.partitions.map(({ errorCode }) => errorCode);
  }

  /** How many of the offsets of `count` partitions are taken, which are the first of them; the others have too much metadata. */
  async take(committing: Committing): Promise<number> {
    const errorCodes = await this.errorCodes(committing);
    const taken = errorCodes.filter((errorCode) => errorCode === ErrorCode.NONE).length;
    const refused = Array.from({ length: committing.count - taken }, () => ErrorCode.OFFSET_METADATA_TOO_LARGE);
    expect(errorCodes.slice(taken)).toEqual(refused);
    return taken;
  }

  async producer(id: string): Promise<TestProducer> {
    const producer = new TestProducer(this.harness, id);
    await producer.init();
    return producer;
  }
}

test('a group has its part of the room, and who commits as before goes on', async () => {
  const committer = await Committer.open();
  expect(await committer.take({ count: 150 })).toBe(mostOfGroup);
  expect(await committer.take({ count: 1, first: 200 })).toBe(0);
  expect(committer.warnings).toMatchObject([{ group: 'group' }]);
  // Replaced by as much, and without metadata at all, there is no need of room.
  expect(await committer.take({ count: mostOfGroup, text: 'y'.repeat(30_000) })).toBe(mostOfGroup);
  expect(await committer.take({ count: 1, first: 200, text: '' })).toBe(1);
  expect(await committer.take({ groupId: 'other', count: 2 })).toBe(2);
  expect(await committer.take({ count: 1, text: '' })).toBe(1);
  expect(await committer.take({ count: 1, first: 200 })).toBe(1);
});

test('groups that take what they can leave room for those that have little, and deleted ones give theirs back', async () => {
  const committer = await Committer.open();
  const small = { groupId: 'small', count: 1 };
  expect(await committer.take({ ...small, text: 'a mark' })).toBe(1);
  const taken: number[] = [];
  for (let i = 0; i < 48; i++) taken.push(await committer.take({ groupId: `greedy ${i}`, count: 140 }));
  // Each may have a sixteenth of what those before it and itself have left.
  let free = sharedLength - 'a mark'.length;
  for (const count of taken) {
    expect(count).toBe(Math.floor(free / 17 / metadata.length));
    free -= count * metadata.length;
  }
  expect(committer.warnings).toHaveLength(1);
  for (const groupId of ['greedy 0', 'greedy 47']) {
    expect(await committer.take({ groupId, first: 200, count: 1 })).toBe(0);
    expect(await committer.take({ groupId, count: 1, text: 'y'.repeat(30_000) })).toBe(1);
  }
  expect(await committer.take({ ...small, text: 'a mark that is longer than the one before' })).toBe(1);
  expect(await committer.take({ groupId: 'late', count: 4 })).toBe(4);
  const groupsNames = Array.from({ length: 48 }, (_, i) => `greedy ${i}`);
  await committer.harness.request(deleteGroupsApi, 2, { groupsNames });
  expect(await committer.take({ groupId: 'late', count: 140 })).toBe(mostOfGroup);
});

test('groups that have little find room, however many take what they can, until it is all taken', async () => {
  const committer = await Committer.open();
  const little = 'x'.repeat(4096);
  let greedyCount = 0;
  /** New groups take what they can, one behind the other, until nothing is left for the next; the first no more than `most`. */
  const fill = async (text: string, most: number): Promise<void> => {
    for (let taken = most; taken > 0; greedyCount++) {
      taken = await committer.take({ groupId: `greedy ${greedyCount}`, count: taken + 1, text });
    }
  };
  await fill(metadata, mostOfGroup);
  await fill(`${little}x`, 8);
  expect(greedyCount).toBeGreaterThan(114);
  expect(await committer.take({ groupId: 'new', count: 1, text: little })).toBe(1);
  expect(await committer.take({ groupId: 'new', first: 1, count: 1, text: 'x' })).toBe(0);
  expect(await committer.take({ groupId: 'another', count: 8, text: 'x'.repeat(1000) })).toBe(4);
  let littleCount = 0;
  while (littleCount < 5000) {
    if ((await committer.take({ groupId: `little ${littleCount}`, count: 1, text: little })) === 0) break;
    littleCount++;
  }
  expect(littleCount * little.length).toBeGreaterThan(15 * 1024 * 1024);
  expect(littleCount).toBeLessThan(5000);
});

test('what is pending in transactions takes of the room beside what is committed', async () => {
  const committer = await Committer.open();
  const [one, two] = [await committer.producer('one'), await committer.producer('two')];
  expect(await committer.take({ count: 80 })).toBe(80);
  expect(await committer.take({ count: 50, producer: one })).toBe(mostOfGroup - 80);
  expect(await committer.take({ count: 50, producer: two })).toBe(0);
  // The same producer replaces its own.
  expect(await committer.take({ count: mostOfGroup - 80, producer: one })).toBe(mostOfGroup - 80);
  await one.end(false);
  await settle();
  expect(await committer.take({ count: 50, producer: two })).toBe(mostOfGroup - 80);
  await two.end(true);
  await settle();
  // It stands in the place of what was committed before.
  expect(await committer.take({ first: 100, count: 50 })).toBe(mostOfGroup - 80);
});

test('what is on its way takes of the room, until it fails', async () => {
  const committer = await Committer.open();
  const { store } = committer.harness;
  store.held = [];
  const onDisk = committer.take({ count: 80 });
  await settle();
  // It waits in memory behind what is on its way to the disk.
  const waiting = committer.errorCodes({ first: 100, count: 50 });
  await settle();
  expect(await committer.take({ first: 200, count: 1 })).toBe(0);
  store.failAppends = ErrorCode.KAFKA_STORAGE_ERROR;
  store.finishHeld();
  expect(await onDisk).toBe(80);
  const tooMuch = (await waiting).filter((errorCode) => errorCode === ErrorCode.OFFSET_METADATA_TOO_LARGE);
  expect(tooMuch).toHaveLength(50 - (mostOfGroup - 80));
  expect(await waiting).not.toContain(ErrorCode.NONE);
  store.failAppends = ErrorCode.NONE;
  expect(await committer.take({ first: 100, count: 50 })).toBe(mostOfGroup - 80);
});

test('of what is on its way to one partition the longest counts, until all of it has come', async () => {
  const committer = await Committer.open();
  const { store } = committer.harness;
  expect(await committer.take({ count: mostOfGroup })).toBe(mostOfGroup);
  store.held = [];
  const shorter = committer.take({ count: 2, text: '' });
  await settle();
  const asBefore = committer.take({ count: 1 });
  await settle();
  store.held.shift()!();
  expect(await shorter).toBe(2);
  // The first is to be as long as it was again; the second is not.
  const others = committer.take({ first: 200, count: 2 });
  await settle();
  store.finishHeld();
  expect(await others).toBe(1);
  expect(await asBefore).toBe(1);
});

test('what ended in a partition takes no room, though something is always on its way there', async () => {
  const committer = await Committer.open();
  const producers: TestProducer[] = [];
  for (let i = 0; i <= mostOfGroup; i++) producers.push(await committer.producer(`id ${i}`));
  const held = holdAppends(committer.harness.store, stateLogTopics.groups);
  const plain: Promise<number>[] = [];
  /** One more is on its way, and then the oldest that was has come. */
  const onward = async (): Promise<void> => {
    plain.push(committer.take({ count: 1, text: '' }));
    await settle();
    if (plain.length > 1) held.waiting.shift()!();
    await settle();
  };
  await onward();
  for (const producer of producers) {
    const taken = committer.take({ count: 1, producer });
    await settle();
    await onward();
    await onward();
    expect(await taken).toBe(1);
    await producer.end(false);
    await settle();
    await onward();
    await onward();
  }
  await held.finishAll();
  expect(new Set(await Promise.all(plain))).toEqual(new Set([1]));
});
