/**
 * Where a consumer in process is in a group: what it reads, up to where it has processed it, and the commits of that.
 * I/O thread.
 *
 *   taken(record) ─► in hands ─► asked for the next: processed ─► committed: every few seconds, when it is revoked, at the end
 *
 * So each record is processed at least once, by one member of the group or by another after a crash.
 */

import { ErrorCode } from '../base/error-code.ts';
import type { Timer } from '../base/clock.ts';
import type { Broker } from '../broker/broker.ts';
import { BrokerError } from './broker-error.ts';
import type { TopicPartition } from './group-assignment.ts';
import { GroupMember, type MemberListener } from './group-member.ts';
import type { OffsetOf } from './group-requests.ts';

/** What the consumer does with what its group says. */
export interface GroupReader {
  /** Reads on at the group's position, or, where that is -1 or gone, where it begins without one. */
  begin(partitions: readonly OffsetOf[]): void;
  /** Hands out nothing more of them. */
  give(partitions: readonly TopicPartition[]): void;
  fail(error: Error): void;
}

const commitIntervalMs = 5000;

export class GroupReading implements MemberListener {
  readonly #broker: Broker;
  readonly #reader: GroupReader;
  readonly #member: GroupMember;
  /** What was processed and not committed yet: the offset to read next, by partition. */
  readonly #processed = new Map<string, OffsetOf>();
  #inHands: OffsetOf | null = null;
  /** Called once nothing is in hands any more. */
  #handsFree: (() => void) | null = null;
  #timer: Timer | null = null;
  #stopping: Promise<void> | null = null;

  constructor(broker: Broker, reader: GroupReader, groupId: string, topics: readonly string[]) {
    this.#broker = broker;
    this.#reader = reader;
    const options = { groupId, topics, clientId: 'millrace', clientHost: 'embedded' };
    this.#member = new GroupMember(broker, this, options);
  }

  start(): void {
    this.#member.start();
    this.#commitLater();
  }

  /** The consumer asks for the next record: it has processed the one before. */
  asked(): void {
    const processed = this.#inHands;
    if (processed === null) return;
    this.#processed.set(keyOf(processed), processed);
    this.#inHands = null;
    this.#handsFree?.();
  }

  /** The consumer got a record. */
  taken(topic: string, partition: number, offset: number): void {
    this.#inHands = { topic, partition, offset: offset + 1 };
  }

  /** Commits what was processed, and leaves the group. What is in hands was not processed. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  assigned(partitions: readonly OffsetOf[]): void {
    this.#reader.begin(partitions);
  }

  async revoked(partitions: readonly TopicPartition[]): Promise<void> {
    this.#reader.give(partitions);
    const keys = new Set(partitions.map(keyOf));
    if (this.#stopping === null && this.#inHands !== null && keys.has(keyOf(this.#inHands))) {
      await new Promise<void>((resolve) => (this.#handsFree = resolve));
      this.#handsFree = null;
    }
    await this.#commit();
    for (const key of keys) this.#processed.delete(key);
  }

  lost(partitions: readonly TopicPartition[]): void {
    this.#reader.give(partitions);
    for (const each of partitions) this.#processed.delete(keyOf(each));
  }

  failed(errorCode: ErrorCode, message: string): void {
    this.#timer?.cancel();
    this.#reader.fail(new BrokerError(errorCode, message));
  }

  async #stop(): Promise<void> {
    this.#timer?.cancel();
    this.#inHands = null;
    this.#handsFree?.();
    await this.#commit();
    await this.#member.leave();
  }

  #commitLater(): void {
    this.#timer = this.#broker.clock.setTimer(commitIntervalMs, () => {
      void this.#commit();
      if (this.#stopping === null) this.#commitLater();
    });
  }

  async #commit(): Promise<void> {
    const offsets = [...this.#processed.values()];
    if (offsets.length === 0) return;
    for (const { topic, partition, errorCode } of await this.#member.commit(offsets)) {
      const key = keyOf({ topic, partition });
      const committed = offsets.find((each) => keyOf(each) === key);
      // What fails is tried again with the next, or comes again.
      if (errorCode === ErrorCode.NONE && this.#processed.get(key) === committed) this.#processed.delete(key);
    }
  }
}

function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic} ${partition}`;
}
