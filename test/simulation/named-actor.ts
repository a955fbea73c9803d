/**
 * A named producer in a simulated run: sends numbered records through the gateway over links that are slow and cut,
 * and sends again what it was not told of, in order, after asking where to go on or without. Single thread, under the
 * scheduler.
 *
 *   link 1   5 │ 6 │ 7 ─────► process        told: 5; cut
 *   link 2   6 │ 7 │ 9 ─────► process        what is still under way on link 1 may arrive after it
 *
 * Each value names its number, so that a number that is stored twice is a value at two offsets.
 */

import { errorName, ErrorCode } from '../../src/base/error-code.ts';
import { NamedProducer } from '../../src/gateway/named-producers.ts';
import type { PublishListener, PublishStream } from '../../src/gateway/publish-stream.ts';
import type { Durability } from '../../src/storage/partition-log.ts';
import type { BrokerProcess } from './broker-process.ts';
import type { TopicPartition } from './topic-ledger.ts';
import type { World } from './world.ts';

export interface NamedActorOptions {
  readonly name: string;
  readonly durability: 'written' | 'synced';
  /** Records sent before any is answered. */
  readonly window: number;
}

interface Numbered {
  readonly number: number;
  readonly value: string;
}

/** What is to be sent to one partition. */
interface Lane {
  readonly target: TopicPartition;
  /** Not told of yet, in order. */
  waiting: Numbered[];
  next: number;
  /** The largest number that was acknowledged. */
  acknowledged: number;
  isGone: boolean;
}

/** What became of one record on one link. */
type Told = (errorCode: ErrorCode, offset: number) => void;

/** One way to one process; messages arrive in order, and those under way arrive though the client has given it up. */
class Link implements PublishListener {
  readonly process: BrokerProcess;
  readonly producer: NamedProducer;
  isOpen = true;
  readonly closed: Promise<void>;
  #close: () => void = () => {};
  readonly #world: World;
  readonly #stream: PublishStream;
  readonly #told: Told[] = [];
  #arrivesMs = 0;
  #answersMs = 0;

  constructor(world: World, process: BrokerProcess, { name, durability }: NamedActorOptions) {
    this.#world = world;
    this.process = process;
    this.producer = new NamedProducer(name);
    this.closed = new Promise((resolve) => (this.#close = resolve));
    this.#stream = process.gateway.publisher.openStream(this, { durability });
    void process.ended.then(() => this.cut());
  }

  /** The client gives it up. */
  cut(): void {
    this.isOpen = false;
    this.#close();
  }

  publish({ topic, partition }: TopicPartition, { number, value }: Numbered, told: Told): void {
    this.#send(() => {
      this.#told.push(told);
      this.producer.beginSubmission();
      const target = this.process.gateway.publisher.target(topic.name);
      this.#stream.publishNamed(this.producer, number, null, target, partition, null, Buffer.from(value, 'latin1'));
    });
  }

  resume({ topic, partition }: TopicPartition, durability: Durability, told: (last: number | null) => void): void {
    this.#send(() => {
      void this.process.gateway
        .resume(this.producer, topic.name, { partition, durability })
        .then(({ errorCode, lastNumber }) =>
          this.#answer(() => told(errorCode === ErrorCode.NONE ? lastNumber : null)),
        );
    });
  }

  stored(first: number, count: number, _topic: string, _partition: number, baseOffset: number): void {
    for (let i = 0; i < count; i++) this.#tell(first + i, ErrorCode.NONE, baseOffset + i);
  }

  duplicate(first: number, count: number, _topic: string, _partition: number, baseOffset: number): void {
    this.#world.count('named records stored before', count);
    for (let i = 0; i < count; i++) this.#tell(first + i, ErrorCode.NONE, baseOffset < 0 ? -1 : baseOffset + i);
  }

  failed(first: number, count: number, errorCode: ErrorCode): void {
    for (let i = 0; i < count; i++) this.#tell(first + i, errorCode, -1);
  }

  #tell(ordinal: number, errorCode: ErrorCode, offset: number): void {
    this.#answer(() => this.#told[ordinal]!(errorCode, offset));
  }

  #send(deliver: () => void): void {
    this.#arrivesMs = this.#after(this.#arrivesMs, 'named request', () => this.process.within(deliver));
  }

  #answer(deliver: () => void): void {
    if (!this.process.isAlive) return;
    this.#answersMs = this.#after(this.#answersMs, 'named answer', () => {
      if (this.isOpen) deliver();
    });
  }

  /** After a time on the way, and not before what went before; returns when that is. */
  #after(beforeMs: number, label: string, deliver: () => void): number {
    const { scheduler, profile } = this.#world;
    const { nowMs } = scheduler;
    const arrivesMs = Math.max(beforeMs + 0.001, nowMs + scheduler.random.below(profile.maxNetworkMs + 1));
    scheduler.schedule(label, arrivesMs - nowMs, deliver);
    return arrivesMs;
  }
}

export class NamedActor {
  readonly #world: World;
  readonly #options: NamedActorOptions;
  readonly #lanes = new Map<string, Lane>();
  #link: Link | null = null;

  constructor(world: World, options: NamedActorOptions) {
    this.#world = world;
    this.#options = options;
  }

  /** Sends until the world ends and all that was sent has an outcome. */
  async run(): Promise<void> {
    const world = this.#world;
    const { random } = world.scheduler;
    while (!world.isEnding || this.#waits) {
      const link = await this.#connected();
      const targets = world.topics.partitions().filter(({ topic }) => !topic.needsIds);
      if (targets.length > 0) {
        const chosen = targets[random.below(targets.length)]!;
        const lanes = world.isEnding ? [...this.#lanes.values()] : [this.#laneOf(chosen)];
        for (const lane of lanes) if (!lane.isGone) await this.#sendWindow(link, lane);
      } else if (world.isEnding) return;
      this.#dropGone();
      await world.sleep(1 + random.below(world.profile.thinkMs), this.#options.name);
    }
    this.#link?.cut();
  }

  get #waits(): boolean {
    return [...this.#lanes.values()].some(({ waiting }) => waiting.length > 0);
  }

  #laneOf(target: TopicPartition): Lane {
    let lane = this.#lanes.get(target.log);
    if (lane === undefined) {
      lane = { target, waiting: [], next: this.#world.scheduler.random.below(5), acknowledged: -1, isGone: false };
      this.#lanes.set(target.log, lane);
    }
    return lane;
  }

  /** What goes to a topic that is gone has had its outcome. */
  #dropGone(): void {
    for (const lane of this.#lanes.values()) {
      if (lane.target.topic.state !== 'there') lane.isGone = true;
      if (lane.isGone) lane.waiting = [];
    }
  }

  async #connected(): Promise<Link> {
    if (this.#link?.isOpen === true) return this.#link;
    const world = this.#world;
    const { random } = world.scheduler;
    let process = await world.serving();
    while (!process.isAlive) process = await world.serving();
    const link = new Link(world, process, this.#options);
    this.#link = link;
    const { cutConnectionEveryMs } = world.profile;
    if (Number.isFinite(cutConnectionEveryMs) && !world.isEnding) {
      world.scheduler.schedule('named cut', world.drawMs(cutConnectionEveryMs), () => link.cut());
    }
    if (random.chance(0.5)) for (const lane of this.#lanes.values()) await this.#resume(link, lane);
    return link;
  }

  /** Asks where to go on: what is stored is not sent again. */
  async #resume(link: Link, lane: Lane): Promise<void> {
    const { name, durability } = this.#options;
    let last: number | null = null;
    const asked = new Promise<void>((resolve) => {
      link.resume(lane.target, durability, (number) => {
        last = number;
        resolve();
      });
    });
    await Promise.race([asked, link.closed]);
    if (last === null) return;
    const lastNumber: number = last;
    this.#world.count('named producers resumed');
    this.#world.scheduler.note(`${name} ${lane.target.log} resumes behind ${lastNumber}`);
    if (lastNumber < lane.acknowledged && this.#promises(lane) === 'synced') {
      this.#world.breakPromise(`${name} is told that ${lastNumber} is last, and ${lane.acknowledged} was acknowledged`);
    }
    const stored = lane.waiting.filter(({ number }) => number <= lastNumber);
    lane.waiting = lane.waiting.slice(stored.length);
    for (const { number } of stored) lane.acknowledged = Math.max(lane.acknowledged, number);
  }

  /** What an acknowledgement means in the lane's topic. */
  #promises({ target }: Lane): Durability {
    return target.topic.syncsLater ? 'written' : this.#options.durability;
  }

  async #sendWindow(link: Link, lane: Lane): Promise<void> {
    const world = this.#world;
    const { random } = world.scheduler;
    const again = lane.waiting.length > 0;
    while (lane.waiting.length < this.#options.window && !world.isEnding && random.chance(0.7)) {
      lane.waiting.push(this.#next(lane));
    }
    if (again) world.count('named retries');
    const answers = lane.waiting.map(
      (record) =>
        new Promise<void>((resolve) => {
          link.publish(lane.target, record, (errorCode, offset) => {
            this.#answered(lane, record, errorCode, offset);
            resolve();
          });
        }),
    );
    await Promise.race([Promise.all(answers), link.closed]);
  }

  #next(lane: Lane): Numbered {
    const { scheduler, profile } = this.#world;
    const { random } = scheduler;
    const { log } = lane.target;
    lane.next += random.chance(0.8) ? 1 : 1 + random.below(1000);
    const value = `${this.#options.name}#${lane.next}@${log}`.padEnd(random.below(profile.valueBytes), '~');
    this.#world.record({ kind: 'send', log, value, durability: this.#promises(lane), isIdempotent: true });
    return { number: lane.next, value };
  }

  #answered(lane: Lane, record: Numbered, errorCode: ErrorCode, offset: number): void {
    const { log } = lane.target;
    const { name } = this.#options;
    this.#world.scheduler.note(`${name} ${log} ${record.number}: ${errorName(errorCode)} ${offset}`);
    if (errorCode !== ErrorCode.NONE) {
      this.#world.count(`named: ${errorName(errorCode)}`);
      if (errorCode === ErrorCode.UNKNOWN_TOPIC_OR_PARTITION) {
        lane.isGone = true;
        if (lane.target.topic.state === 'there') this.#world.breakPromise(`${name} is told that ${log} does not exist`);
      }
      return;
    }
    lane.waiting = lane.waiting.filter((waiting) => waiting !== record);
    lane.acknowledged = Math.max(lane.acknowledged, record.number);
    if (offset >= 0) this.#world.record({ kind: 'acknowledged', log, value: record.value, offset });
  }
}
