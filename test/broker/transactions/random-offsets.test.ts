/**
 * Offsets that producers of several transactional ids and others without transactions commit, while what each log takes
 * becomes durable in any order among them, clients give up what they wait for, others take the ids over and groups are
 * deleted: what can be read is of committed transactions alone, of none that was there before its group was deleted, and the
 * one that was committed last.
 */

import { expect, test } from 'vitest';
import { present } from '../../../src/base/assert.ts';
import { ErrorCode } from '../../../src/base/error-code.ts';
import { SeededRandom } from '../../../src/base/random.ts';
import type { TopicImage } from '../../../src/broker/metadata-image.ts';
import { deleteGroupsApi, offsetCommitApi, offsetFetchApi } from '../../../src/protocol/generated/index.ts';
import { BrokerHarness } from '../broker-harness.ts';
import { settle, TestProducer } from './test-producer.ts';

const groups = ['one', 'two'];
const partitionCount = 2;
const steps = 50;
const ids = ['a', 'b', 'c'];

/** An offset that was committed; of those of one id in a slot the last is the largest. */
interface Given {
  readonly slot: string;
  readonly offset: number;
  /** Of the transaction; null where there is none. */
  readonly id: string | null;
  /** The last that was sent before this was answered: whatever is larger was certainly committed later. */
  lastBeforeAnswer: number;
  errorCode: ErrorCode | null;
  /** Whether its group may have been deleted since it was sent, or certainly was since it was answered. */
  mayBeDeleted: boolean;
  isDeleted: boolean;
}

interface Transaction {
  readonly id: string | null;
  readonly given: Given[];
  isCommitted: boolean;
}

class World {
  readonly harness: BrokerHarness;
  readonly topic: TopicImage;
  readonly random: SeededRandom;
  readonly transactions: Transaction[] = [];
  readonly zombies: TestProducer[] = [];
  /** By id: who has it, and the transaction that goes on. */
  readonly producers = new Map<string, TestProducer>();
  readonly current = new Map<string, Transaction>();
  /** What counts at once. */
  readonly plain: Transaction = { id: null, given: [], isCommitted: true };
  /** Appends that are not durable yet, by topic. */
  readonly #underWay = new Map<string, (() => void)[]>();
  #offset = 0;

  constructor(harness: BrokerHarness, topic: TopicImage, seed: number) {
    this.harness = harness;
    this.topic = topic;
    this.random = new SeededRandom(seed);
    this.transactions.push(this.plain);
    for (const id of ids) {
      this.producers.set(id, new TestProducer(harness, id));
      this.begin(id);
    }
    const { store } = harness;
    const held: (() => void)[] = [];
    held.push = (...finishes) => {
      const name = present(store.appended.at(-1), 'it is about the last append').topic;
      this.#underWay.set(name, [...(this.#underWay.get(name) ?? []), ...finishes]);
      return 0;
    };
    store.held = held;
  }

  begin(id: string): void {
    const transaction = { id, given: [], isCommitted: false };
    this.transactions.push(transaction);
    this.current.set(id, transaction);
  }

  anyId(): string {
    return ids[this.random.below(ids.length)]!;
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
    const { group, partition, given } = this.#give(transaction);
    this.#follow(given, producer.commitOffset(group, this.topic, given.offset, partition));
  }

  /** The same without a transaction. */
  commitPlain(): void {
    const { group, partition, given } = this.#give(this.plain);
    const partitions = [
      { partitionIndex: partition, committedOffset: given.offset, committedLeaderEpoch: -1, committedMetadata: null },
    ];
    const topics = [{ topicId: this.topic.id, name: this.topic.name, partitions }];
    const answer = this.harness.request(offsetCommitApi, 8, { groupId: group, topics });
    this.#follow(
      given,
      answer.then((response) => response.topics[0]!.partitions[0]!.errorCode as ErrorCode),
    );
  }

  #give(transaction: Transaction): { group: string; partition: number; given: Given } {
    const group = groups[this.random.below(groups.length)]!;
    const partition = this.random.below(partitionCount);
    const given: Given = {
      slot: `${group} ${partition}`,
      offset: ++this.#offset,
      id: transaction.id,
      lastBeforeAnswer: Infinity,
      errorCode: null,
      mayBeDeleted: false,
      isDeleted: false,
    };
    transaction.given.push(given);
    return { group, partition, given };
  }

  #follow(given: Given, answer: Promise<ErrorCode>): void {
    answer.then(
      (errorCode) => {
        given.errorCode = errorCode;
        given.lastBeforeAnswer = this.#offset;
      },
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

  /** Whether the broker says that it ended. */
  async end(id: string, isCommitted: boolean): Promise<boolean> {
    const { errorCode } = await this.answered(this.producers.get(id)!.end(isCommitted));
    if (errorCode !== ErrorCode.NONE) return false;
    this.current.get(id)!.isCommitted = isCommitted;
    this.begin(id);
    return true;
  }

  async takeOver(id: string): Promise<void> {
    const next = new TestProducer(this.harness, id);
    while ((await this.answered(next.init())).errorCode !== ErrorCode.NONE) await this.oneIsDurable();
    this.zombies.push(this.producers.get(id)!);
    this.producers.set(id, next);
    this.begin(id);
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

/** Whether `given` was certainly committed behind `other`. */
function isLater(given: Given, other: Given): boolean {
  return given.offset > other.lastBeforeAnswer || (given.id === other.id && given.offset > other.offset);
}

test.each(Array.from({ length: 100 }, (_, i) => i + 1))(
  'only what was committed can be read (seed %i)',
  async (seed) => {
    const harness = await BrokerHarness.open();
    const world = new World(harness, await harness.createTopic('topic', partitionCount), seed);
    for (const producer of world.producers.values()) await world.answered(producer.init());
    const { random } = world;
    const lost: Transaction = { id: null, given: [], isCommitted: false };
    for (let step = 0; step < steps; step++) {
      const choice = random.below(23);
      const id = world.anyId();
      if (choice < 9) world.commit(world.producers.get(id)!, world.current.get(id)!);
      else if (choice < 10) await world.end(id, random.chance(0.6));
      else if (choice < 11) await Promise.all(ids.map((each) => world.end(each, random.chance(0.6))));
      else if (choice < 12) await world.takeOver(id);
      else if (choice > 20) world.commitPlain();
      else if (choice < 14 && world.zombies.length > 0) {
        world.commit(world.zombies[random.below(world.zombies.length)]!, lost);
      } else if (choice === 20) world.deleteGroup();
      else await world.oneIsDurable();
      if (random.chance(0.5)) await settle();
    }
    await world.rest();
    // They end, unless somebody has to take them over for that; what ended before is not pending again.
    for (const id of ids) if (!(await world.end(id, random.chance(0.6)))) await world.takeOver(id);
    await settle();
    for (const group of groups) {
      for (let partition = 0; partition < partitionCount; partition++) {
        const slot = `${group} ${partition}`;
        const mayBe = world.transactions.filter(({ isCommitted }) => isCommitted).flatMap(({ given }) => given);
        const ofSlot = mayBe.filter((given) => given.slot === slot);
        const kept = ofSlot.filter(({ errorCode, mayBeDeleted }) => errorCode === ErrorCode.NONE && !mayBeDeleted);
        const deleted = ofSlot.filter(({ isDeleted }) => isDeleted).map(({ offset }) => offset);
        const found = await world.read(slot);
        expect([-1, ...ofSlot.map(({ offset }) => offset)], `${slot} is of a committed transaction`).toContain(found);
        const source = ofSlot.find(({ offset }) => offset === found);
        const later = kept.filter((given) => source === undefined || isLater(given, source));
        expect(later, `${slot} has ${found}, and nothing that was promised later`).toEqual([]);
        expect(deleted, `${slot} has nothing that was deleted`).not.toContain(found);
      }
    }
  },
);
