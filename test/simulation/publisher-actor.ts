/**
 * A door's sender in a simulated run: hands records to the publisher of the process that serves, several a turn and to
 * several partitions, and holds what it is told against what it handed in. Single thread, under the scheduler.
 *
 *   told   every record once, in the order of handing in; of one partition the offsets grow
 *
 * What was not told of when the process ends may stand in the log or not. Nothing is tried again.
 */

import { ErrorCode, errorName } from '../../src/base/error-code.ts';
import type { PublishStream } from '../../src/gateway/publish-stream.ts';
import type { Durability } from '../../src/storage/partition-log.ts';
import type { BrokerProcess } from './broker-process.ts';
import type { TopicPartition } from './topic-ledger.ts';
import type { World } from './world.ts';

interface HandedIn {
  readonly target: TopicPartition;
  readonly value: string;
}

const expected = new Set<ErrorCode>([ErrorCode.KAFKA_STORAGE_ERROR, ErrorCode.NOT_LEADER_OR_FOLLOWER]);
const gone = new Set<ErrorCode>([ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.NOT_LEADER_OR_FOLLOWER]);

export class PublisherActor {
  readonly #world: World;
  readonly #name: string;
  readonly #durability: Durability;
  #process: BrokerProcess | null = null;
  #stream: PublishStream | null = null;
  #mayGoOn = true;
  /** By ordinal, since the stream began. */
  #handedIn: HandedIn[] = [];
  #toldCount = 0;
  #lastOffsets = new Map<string, number>();
  #valueCount = 0;

  constructor(world: World, name: string, durability: Durability) {
    this.#world = world;
    this.#name = name;
    this.#durability = durability;
  }

  /** Hands in records until the world ends; then waits until it was told of all. */
  async run(): Promise<void> {
    const { scheduler, profile } = this.#world;
    while (!this.#world.isEnding) {
      const process = await this.#world.serving();
      if (process !== this.#process) this.#begin(process);
      if (this.#mayGoOn) this.#handIn(1 + scheduler.random.below(8));
      await this.#world.sleep(scheduler.random.below(profile.thinkMs + 1), this.#name);
    }
    while (this.#process?.isAlive === true && this.#toldCount < this.#handedIn.length) {
      await this.#world.sleep(20, this.#name);
    }
  }

  #begin(process: BrokerProcess): void {
    this.#process = process;
    this.#mayGoOn = true;
    this.#handedIn = [];
    this.#toldCount = 0;
    this.#lastOffsets = new Map();
    this.#stream = process.gateway.publisher.openStream(
      {
        stored: (first, count, topic, partition, baseOffset) => {
          if (process.isAlive) this.#stored(first, count, topic, partition, baseOffset);
        },
        failed: (first, count, errorCode) => {
          if (process.isAlive) this.#failed(first, count, errorCode);
        },
        resumed: () => (this.#mayGoOn = true),
      },
      { durability: this.#durability, maxWaitingBytes: 4096 },
    );
  }

  #handIn(count: number): void {
    const { scheduler, topics, profile } = this.#world;
    const { random } = scheduler;
    // A name leads to whatever has it now.
    const targets = topics.partitions().filter(({ topic }) => !topic.needsIds);
    for (let i = 0; i < count && targets.length > 0; i++) {
      const target = targets[random.below(targets.length)]!;
      const value = `${this.#name}.${++this.#valueCount}`.padEnd(random.below(profile.valueBytes), '~');
      const durability = this.#durability === 'synced' && target.topic.syncsLater ? 'written' : this.#durability;
      this.#world.record({ kind: 'send', log: target.log, value, durability, isIdempotent: false });
      this.#handedIn.push({ target, value });
      const { publisher } = this.#process!.gateway;
      const key = random.chance(0.5) ? Buffer.from(this.#name) : null;
      const bytes = Buffer.from(value, 'latin1');
      this.#mayGoOn = this.#stream!.publish(publisher.target(target.topic.name), target.partition, key, bytes);
      if (!this.#mayGoOn) {
        this.#world.count('publishers held back');
        return;
      }
    }
  }

  #stored(first: number, count: number, topic: string, partition: number, baseOffset: number): void {
    for (const [i, { target, value }] of this.#told(first, count).entries()) {
      const offset = baseOffset + i;
      if (target.topic.name !== topic || target.partition !== partition) {
        this.#world.breakPromise(
          `${this.#name} is told that ${value} is in ${topic}-${partition}, not in ${target.log}`,
        );
      }
      this.#world.count('published');
      // Whoever asks for nothing is told where the record would be, which promises nothing: others may stand there.
      if (this.#durability === 'none') continue;
      if (offset <= (this.#lastOffsets.get(target.log) ?? -1)) {
        this.#world.breakPromise(`${this.#name} is told of offset ${offset} of ${target.log} after a later one`);
      }
      this.#lastOffsets.set(target.log, offset);
      this.#world.record({ kind: 'acknowledged', log: target.log, value, offset });
    }
  }

  #failed(first: number, count: number, errorCode: ErrorCode): void {
    for (const { target } of this.#told(first, count)) {
      const isGone = target.topic.state !== 'there' && gone.has(errorCode);
      if (!isGone && !expected.has(errorCode)) {
        this.#world.breakPromise(`${this.#name} gets ${errorName(errorCode)} for a record to ${target.log}`);
      }
      this.#world.count('publishing failed');
    }
  }

  #told(first: number, count: number): HandedIn[] {
    if (first !== this.#toldCount) {
      this.#world.breakPromise(`${this.#name} is told of record ${first}, and the next is ${this.#toldCount}`);
    }
    this.#toldCount = first + count;
    return this.#handedIn.slice(first, first + count);
  }
}
