/**
 * Offsets that producers of one transactional id commit, while what each log takes becomes durable in any order among them,
 * clients give up what they wait for, others take the id over and groups are deleted: what can be read is of committed
 * transactions alone, and of none that was there before its group was deleted.
 */

import { expect, test } from 'vitest';
import { present } from '../../../src/base/assert.ts';
import { ErrorCode } from '../../../src/base/error-code.ts';
import { SeededRandom } from '../../../src/base/random.ts';
import type { TopicImage } from '../../../src/broker/metadata-image.ts';
import { deleteGroupsApi, offsetFetchApi } from '../../../src/protocol/generated/index.ts';
import { BrokerHarness } from '../broker-harness.ts';
import { settle, TestProducer } from './test-producer.ts';

const groups = ['one', 'two', 'three'];
const partitionCount = 2;
const steps = 80;

/** An offset that was committed within a transaction; the last of a slot is the largest. */
interface Given {
  readonly slot: string;
  readonly offset: number;
  errorCode: ErrorCode | null;
  /** Whether its group may have been deleted since it was sent, or certainly was since it was answered. */
  mayBeDeleted: boolean;
  isDeleted: boolean;
}

interface Transaction {
  readonly given: Given[];
  isCommitted: boolean;
}

class World {
  readonly harness: BrokerHarness;
  readonly topic: TopicImage;
  readonly random: SeededRandom;
  readonly transactions: Transaction[] = [];
  readonly zombies: TestProducer[] = [];
  producer: TestProducer;
  /** Appends that are not durable yet, by topic. */
  readonly #underWay = new Map<string, (() => void)[]>();
  #offset = 0;

  constructor(harness: BrokerHarness, topic: TopicImage, seed: number) {
    this.harness = harness;
    this.topic = topic;
    this.random = new SeededRandom(seed);
    this.producer = new TestProducer(harness, 'id');
    this.begin();
    const { store } = harness;
    const held: (() => void)[] = [];
    held.push = (...finishes) => {
      const name = present(store.appended.at(-1), 'it is about the last append').topic;
      this.#underWay.set(name, [...(this.#underWay.get(name) ?? []), ...finishes]);
      return 0;
    };
    store.held = held;
  }

  get current(): Transaction {
    return this.transactions.at(-1)!;
  }

  begin(): void {
    this.transactions.push({ given: [], isCommitted: false });
  }

  /** The oldest append of some log is durable. False where none is under way. */
  async oneIsDurable(): Promise<boolean> {
    const waiting = [...this.#underWay.values()].filter(({ length }) => length > 0);
    if (waiting.length > 0) waiting[this.random.below(waiting.length)]!.shift()!();
    await settle();
    return waiting.length > 0;
  }

  /** Has appends become durable until the answer is there. */
  async answered<T>(answer: Promise<T>): Promise<T> {
    let isThere = false;
    answer.then(
      () => (isThere = true),
      () => (isThere = true),
    );
    await settle();
    while (!isThere) if (!(await this.oneIsDurable())) this.harness.clock.advance(100);
    return answer;
  }

  /** Commits an offset, and does not wait for the answer. */
  commit(producer: TestProducer, transaction: Transaction): void {
    const group = groups[this.random.below(groups.length)]!;
    const partition = this.random.below(partitionCount);
    const slot = `${group} ${partition}`;
    const given: Given = { slot, offset: ++this.#offset, errorCode: null, mayBeDeleted: false, isDeleted: false };
    transaction.given.push(given);
    producer.commitOffset(group, this.topic, given.offset, partition).then(
      (errorCode) => (given.errorCode = errorCode),
      () => {},
    );
  }

  /** Deletes a group, and does not wait for the answer. */
  deleteGroup(): void {
    const group = groups[this.random.below(groups.length)]!;
    const before = this.transactions.flatMap(({ given }) => given).filter(({ slot }) => slot.startsWith(group));
    const answered = before.filter(({ errorCode }) => errorCode === ErrorCode.NONE);
    for (const given of before) given.mayBeDeleted = true;
    this.harness.request(deleteGroupsApi, 2, { groupsNames: [group] }).then(
      ({ results }) => {
        if (results[0]!.errorCode === ErrorCode.NONE) for (const given of answered) given.isDeleted = true;
      },
      () => {},
    );
  }

  async end(isCommitted: boolean): Promise<void> {
    const { errorCode } = await this.answered(this.producer.end(isCommitted));
    if (errorCode !== ErrorCode.NONE) return;
    this.current.isCommitted = isCommitted;
    this.begin();
  }

  async takeOver(): Promise<void> {
    const next = new TestProducer(this.harness, 'id');
    while ((await this.answered(next.init())).errorCode !== ErrorCode.NONE) await this.oneIsDurable();
    this.zombies.push(this.producer);
    this.producer = next;
    this.begin();
  }

  /** Everything is durable, and nobody waits any more. */
  async rest(): Promise<void> {
    for (const patienceMs of [0, 10_000, 0]) {
      this.harness.clock.advance(patienceMs);
      for (let goesOn = true; goesOn;) goesOn = await this.oneIsDurable();
    }
    this.harness.store.held = null;
  }

  /** The offset of the slot; null where one is pending. */
  async read(slot: string): Promise<number | null> {
    const [groupId = '', partition] = slot.split(' ');
    const topics = [{ topicId: this.topic.id, name: this.topic.name, partitionIndexes: [Number(partition)] }];
    const asked = [{ groupId, memberId: null, memberEpoch: -1, topics }];
    const { groups: told } = await this.harness.request(offsetFetchApi, 8, { groups: asked, requireStable: true });
    const { committedOffset, errorCode } = told[0]!.topics[0]!.partitions[0]!;
    return errorCode === ErrorCode.NONE ? committedOffset : null;
  }
}

test.each(Array.from({ length: 40 }, (_, i) => i + 1))(
  'only what was committed can be read (seed %i)',
  async (seed) => {
    const harness = await BrokerHarness.open();
    const world = new World(harness, await harness.createTopic('topic', partitionCount), seed);
    await world.answered(world.producer.init());
    const { random } = world;
    const lost: Transaction = { given: [], isCommitted: false };
    for (let step = 0; step < steps; step++) {
      const choice = random.below(21);
      if (choice < 9) world.commit(world.producer, world.current);
      else if (choice < 11) await world.end(random.chance(0.6));
      else if (choice < 12) await world.takeOver();
      else if (choice < 14 && world.zombies.length > 0) {
        world.commit(world.zombies[random.below(world.zombies.length)]!, lost);
      } else if (choice === 20) world.deleteGroup();
      else await world.oneIsDurable();
      if (random.chance(0.5)) await settle();
    }
    // It ends, whatever is under way still.
    await world.takeOver();
    await world.rest();
    for (const group of groups) {
      for (let partition = 0; partition < partitionCount; partition++) {
        const slot = `${group} ${partition}`;
        const mayBe = world.transactions.filter(({ isCommitted }) => isCommitted).flatMap(({ given }) => given);
        const ofSlot = mayBe.filter((given) => given.slot === slot);
        const kept = ofSlot.filter(({ errorCode, mayBeDeleted }) => errorCode === ErrorCode.NONE && !mayBeDeleted);
        const promised = kept.map(({ offset }) => offset);
        const deleted = ofSlot.filter(({ isDeleted }) => isDeleted).map(({ offset }) => offset);
        const found = await world.read(slot);
        expect([-1, ...ofSlot.map(({ offset }) => offset)], `${slot} is of a committed transaction`).toContain(found);
        expect(found, `${slot} has what was promised`).toBeGreaterThanOrEqual(Math.max(-1, ...promised));
        expect(deleted, `${slot} has nothing that was deleted`).not.toContain(found);
      }
    }
  },
);
