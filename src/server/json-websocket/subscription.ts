/**
 * One subscription of one connection: partitions, where each is, credit, and frames of records. I/O thread.
 *
 *   subscribe → selected partitions → RecordReader ─► block.frame ─► socket
 *                                       ▲ credit in bytes: as fast as the socket takes them
 *                                       └ credit in records: as many as the client lets come
 *
 * Topics that a pattern matches later, and partitions that are added, are read from their first record. It does not know
 * sockets nor frames that come (json-link.ts).
 */

import type { Timer } from '../../base/clock.ts';
import { ErrorCode, errorName } from '../../base/error-code.ts';
import { AclOperation } from '../../broker/authorizer.ts';
import type { Broker } from '../../broker/broker.ts';
import type { Caller } from '../../gateway/caller.ts';
import { GroupMember, type MemberListener } from '../../gateway/group-member.ts';
import type { FrameFormat, RecordBlock } from '../../gateway/record-block.ts';
import type { RecordFeeds } from '../../gateway/record-feeds.ts';
import type { ReaderListener, RecordReader, StartPosition } from '../../gateway/record-reader.ts';
import type { BrokerFrame, ClientFrames, Position, Start, TopicPartition } from './frames.ts';
import { TopicSelection } from './topic-selection.ts';

/** The connection. */
export interface SubscriptionOwner {
  /** Who reads. */
  readonly caller: Caller;
  send(frame: BrokerFrame): void;
  /** Sends a frame of records; false where the client is slower than its records, until `drained`. */
  sendRecords(frame: Uint8Array): boolean;
}

/** Why something cannot be done, as frames say it. */
export interface Refusal {
  readonly errorCode: ErrorCode;
  readonly message: string;
}

/** What one subscription may have under way to a client that does not read, in bytes of keys and values. */
const windowBytes = 512 * 1024;
const mostPartitions = 10_000;
const mostPatterns = 20;
/** So long a member whose partitions are revoked may take to commit what it was sent, before it joins again. */
const handoverMs = 3000;

export class Subscription implements ReaderListener, MemberListener {
  readonly name: string;
  readonly #owner: SubscriptionOwner;
  readonly #broker: Broker;
  readonly #asked: ClientFrames['subscribe'];
  readonly #selection: TopicSelection;
  readonly #format: FrameFormat<Uint8Array>;
  readonly #reader: RecordReader;
  /** Those that are read, or are about to be. */
  readonly #partitions = new Map<string, TopicPartition>();
  readonly #paused = new Set<string>();
  /** Where to begin, by partition, where the client said so. */
  readonly #given: ReadonlyMap<string, number>;
  #stopListening: () => void = () => {};
  #member: GroupMember | null = null;
  /** Whether the client got records since it committed last. */
  #owesCommit = false;
  #handedOver: (() => void) | null = null;
  #closed = false;

  constructor(
    owner: SubscriptionOwner,
    feeds: RecordFeeds,
    format: FrameFormat<Uint8Array>,
    asked: ClientFrames['subscribe'],
  ) {
    this.name = asked.subscription;
    this.#owner = owner;
    this.#broker = feeds.broker;
    this.#asked = asked;
    this.#format = format;
    this.#selection = new TopicSelection(asked.topics);
    const given = asked.positions ?? [];
    this.#given = new Map(given.map(({ topic, partition, offset }) => [keyOf(topic, partition), offset]));
    this.#reader = feeds.openReader(this, {
      isolation: asked.isolation ?? 'read_committed',
      creditBytes: windowBytes,
      caller: owner.caller,
    });
  }

  /** Begins to read, once `began` was told where; or gives why it does not. */
  async begin(began: (positions: readonly Position[]) => void): Promise<Refusal | null> {
    const { group } = this.#asked;
    const forbidden = group === undefined ? null : this.#owner.caller.problemOfGroup(group);
    if (forbidden !== null) return forbidden;
    const partitions = this.#selected();
    if ('errorCode' in partitions) return partitions;
    if (this.#selection.patternCount > 0 || this.#asked.partitions === undefined) {
      this.#stopListening = this.#broker.topics.onGrown((topic) => this.#grown(topic.name, topic.partitionCount));
    }
    if (this.#isMember) {
      began([]);
      this.#reader.grant(this.#asked.credit ?? Infinity, 0);
      this.#member = this.#join(this.#asked.group!);
      this.#member.start();
      return null;
    }
    const positions: Position[] = [];
    // A topic that grows meanwhile has others to add than these.
    for (const each of partitions) this.#partitions.set(keyOf(each.topic, each.partition), each);
    for (const each of partitions) {
      if (this.#closed) return null;
      const position = await this.#add(each, this.#startOf(each));
      if (position !== null) positions.push(position);
    }
    if (this.#closed) return null;
    began(positions);
    this.#reader.grant(this.#asked.credit ?? Infinity, 0);
    return null;
  }

  records(block: RecordBlock, from: number, to: number): void {
    this.#owesCommit = true;
    if (this.#owner.sendRecords(block.frame(this.#format, from, to))) this.drained();
  }

  /** A partition cannot be read on, or the member cannot be in its group. */
  failed(topic: string, partition: number, errorCode: ErrorCode, message: string): void;
  failed(errorCode: ErrorCode, message: string): void;
  failed(...told: [string, number, ErrorCode, string] | [ErrorCode, string]): void {
    const [errorCode, message] = told.slice(-2) as [ErrorCode, string];
    const of = told.length === 4 ? { topic: told[0], partition: told[1] } : {};
    // A topic of that name that comes later is another.
    if (told.length === 4 && this.#broker.findPartition(this.#broker.topics.topic(told[0]), told[1]) === null) {
      this.#forget(told[0], told[1]);
    }
    this.#owner.send({ type: 'error', error: errorName(errorCode), message, subscription: this.name, ...of });
  }

  // What the group says.

  assigned(partitions: readonly Position[]): void {
    void this.#assigned(partitions);
  }

  async revoked(partitions: readonly TopicPartition[]): Promise<void> {
    if (this.#closed) return;
    this.lost(partitions);
    if (!this.#owesCommit || partitions.length === 0) return;
    let timer: Timer | null = null;
    await new Promise<void>((resolve) => {
      this.#handedOver = resolve;
      timer = this.#broker.clock.setTimer(handoverMs, resolve);
    });
    (timer as Timer | null)?.cancel();
    this.#handOver();
  }

  lost(partitions: readonly TopicPartition[]): void {
    if (this.#closed) return;
    for (const { topic, partition } of partitions) {
      this.#reader.remove(topic, partition);
      this.#forget(topic, partition);
    }
    this.#owner.send({ type: 'revoked', subscription: this.name, partitions });
  }

  /** The client has read what it was sent. */
  drained(): void {
    const missingBytes = windowBytes - this.#reader.creditBytes;
    if (missingBytes > 0) this.#reader.grant(0, missingBytes);
  }

  credit(records: number): void {
    this.#reader.grant(records, 0);
  }

  pause(partitions: readonly TopicPartition[] = [...this.#partitions.values()]): void {
    for (const { topic, partition } of partitions) {
      // What is not read has nothing to pause, and there is no end to its names.
      if (this.#partitions.has(keyOf(topic, partition))) this.#paused.add(keyOf(topic, partition));
      this.#reader.pause(topic, partition);
    }
  }

  resume(partitions: readonly TopicPartition[] = [...this.#partitions.values()]): void {
    for (const { topic, partition } of partitions) {
      this.#paused.delete(keyOf(topic, partition));
      this.#reader.resume(topic, partition);
    }
  }

  /** Moves partitions; nothing of them comes before `sought` was called. Problems of single ones are told by errors. */
  async seek(
    to: Start,
    partitions: readonly TopicPartition[] = [...this.#partitions.values()],
    sought: (positions: readonly Position[]) => void,
  ): Promise<void> {
    const positions: Position[] = [];
    for (const { topic, partition } of partitions) {
      this.#reader.pause(topic, partition);
      const found = await this.#reader.seek(topic, partition, this.#positionAsked(to, { topic, partition }));
      if (typeof found === 'number') positions.push({ topic, partition, offset: found });
      else this.failed(topic, partition, found.errorCode, found.message);
    }
    if (this.#closed) return;
    sought(positions);
    for (const { topic, partition } of partitions) {
      if (!this.#paused.has(keyOf(topic, partition))) this.#reader.resume(topic, partition);
    }
  }

  /** Keeps the group's positions; resolves once they are durable, with what went wrong, partition by partition. */
  async commit(positions: readonly Position[]): Promise<readonly (Position & Refusal)[]> {
    const { group } = this.#asked;
    const { groups, topics } = this.#broker;
    const { caller } = this.#owner;
    const problems: (Position & Refusal)[] = [];
    const offsets = positions.flatMap((position) => {
      const forbidden = caller.problemOf(AclOperation.READ, position.topic) ?? caller.problemOfGroup(group ?? '');
      if (forbidden !== null) {
        problems.push({ ...position, ...forbidden });
        return [];
      }
      const topic = topics.topic(position.topic);
      if (topic !== null && position.partition < topic.partitionCount) {
        const { partition, offset } = position;
        return [{ position, topicId: topic.id, partition, offset, leaderEpoch: -1, metadata: '' }];
      }
      const message = `There is no partition ${position.partition} of a topic ${position.topic}.`;
      problems.push({ ...position, errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, message });
      return [];
    });
    if (offsets.length === 0) return problems;
    if (this.#member !== null) return [...problems, ...(await this.#commitAsMember(this.#member, positions))];
    const committer = {
      memberId: '',
      instanceId: null,
      generation: -1,
      knowsMissingGroups: true,
      retentionMs: -1,
      producerId: null,
    };
    const codes = groups.isActive
      ? await groups.commits.commit(group ?? '', committer, offsets)
      : offsets.map(() => ErrorCode.COORDINATOR_NOT_AVAILABLE);
    for (const [i, errorCode] of codes.entries()) {
      if (errorCode === ErrorCode.NONE) continue;
      const { position } = offsets[i]!;
      const message = `The group ${group} did not take the position ${position.offset} of partition ${position.partition} of ${position.topic}.`;
      problems.push({ ...position, errorCode, message });
    }
    return problems;
  }

  /** The client has committed what it wanted to of what was revoked. */
  release(): void {
    this.#handOver();
  }

  get hasGroup(): boolean {
    return this.#asked.group !== undefined;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#stopListening();
    this.#reader.close();
    this.#handOver();
    void this.#member?.leave();
  }

  /** With partitions of its own choice it only keeps its positions in the group. */
  get #isMember(): boolean {
    return this.hasGroup && this.#asked.partitions === undefined;
  }

  #join(groupId: string): GroupMember {
    const { clientId, clientHost } = this.#owner.caller;
    return new GroupMember(this.#broker, this, {
      groupId,
      topics: this.#topicNames(),
      clientId,
      clientHost,
    });
  }

  #topicNames(): string[] {
    return [...this.#broker.topics.image.topics()].map(({ name }) => name).filter((name) => this.#includes(name));
  }

  async #assigned(partitions: readonly Position[]): Promise<void> {
    const positions: Position[] = [];
    for (const { topic, partition, offset } of partitions) {
      const { from = 'committed', otherwise = 'latest' } = this.#asked;
      const first = this.#positionAsked(from === 'committed' ? otherwise : from, { topic, partition });
      const position = await this.#add({ topic, partition }, offset < 0 ? first : { offset }, first);
      if (position === null) continue;
      // Nothing is sent before `assigned`.
      this.#reader.pause(topic, partition);
      positions.push(position);
    }
    if (this.#closed) return;
    this.#owner.send({ type: 'assigned', subscription: this.name, positions });
    this.resume(positions);
  }

  async #commitAsMember(member: GroupMember, positions: readonly Position[]): Promise<(Position & Refusal)[]> {
    const outcomes = await member.commit(positions);
    this.#owesCommit = false;
    this.#handOver();
    return outcomes.flatMap(({ topic, partition, errorCode }) => {
      if (errorCode === ErrorCode.NONE) return [];
      const message = `The group did not take a position in partition ${partition} of ${topic}: ${errorName(errorCode)}.`;
      return [{ topic, partition, offset: 0, errorCode, message }];
    });
  }

  #handOver(): void {
    const done = this.#handedOver;
    this.#handedOver = null;
    this.#owesCommit = false;
    done?.();
  }

  /** Whether the topic is meant; patterns do not mean what the client may not read. */
  #includes(topic: string): boolean {
    return this.#selection.includes(topic) && this.#owner.caller.allows(AclOperation.READ, topic);
  }

  #selected(): TopicPartition[] | Refusal {
    const { topics } = this.#broker;
    if (this.#selection.patternCount > mostPatterns) {
      return invalid(`A subscription has at most ${mostPatterns} patterns.`);
    }
    const partitions: TopicPartition[] = [];
    for (const name of this.#selection.names) {
      const forbidden = this.#owner.caller.problemOf(AclOperation.READ, name);
      if (forbidden !== null) return forbidden;
    }
    const missing = [...this.#selection.names].find((name) => topics.topic(name) === null);
    if (missing !== undefined) {
      return { errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, message: `There is no topic ${missing}.` };
    }
    for (const { name, partitionCount } of topics.image.topics()) {
      if (!this.#includes(name)) continue;
      const chosen = this.#asked.partitions ?? Array.from({ length: partitionCount }, (_, partition) => partition);
      if (partitions.length + chosen.length > mostPartitions) {
        return invalid(`A subscription reads at most ${mostPartitions} partitions.`);
      }
      for (const partition of new Set(chosen)) partitions.push({ topic: name, partition });
    }
    return partitions;
  }

  /** Begins at `start`, or `otherwise` where that offset is not there any more. */
  async #add(
    { topic, partition }: TopicPartition,
    start: StartPosition,
    otherwise: StartPosition = start,
  ): Promise<Position | null> {
    this.#partitions.set(keyOf(topic, partition), { topic, partition });
    let found = await this.#reader.add(topic, partition, start);
    if (typeof found !== 'number' && found.errorCode === ErrorCode.OFFSET_OUT_OF_RANGE && otherwise !== start) {
      found = await this.#reader.add(topic, partition, otherwise);
    }
    if (this.#closed) return null;
    if (typeof found === 'number') return { topic, partition, offset: found };
    this.failed(topic, partition, found.errorCode, found.message);
    return null;
  }

  #forget(topic: string, partition: number): void {
    this.#partitions.delete(keyOf(topic, partition));
    this.#paused.delete(keyOf(topic, partition));
  }

  #startOf({ topic, partition }: TopicPartition): StartPosition {
    const given = this.#given.get(keyOf(topic, partition));
    if (given !== undefined) return { offset: given };
    return this.#positionAsked(this.#asked.from ?? (this.hasGroup ? 'committed' : 'latest'), { topic, partition });
  }

  #positionAsked(start: Start, { topic, partition }: TopicPartition): StartPosition {
    if (start === 'earliest' || start === 'latest') return start;
    if (start !== 'committed') return 'offset' in start ? start : { timestampMs: start.timestamp };
    const { topics, groups } = this.#broker;
    const topicId = topics.topic(topic)?.id;
    const committed =
      topicId === undefined ? null : groups.commits.get(this.#asked.group ?? '', { topicId, partition });
    return committed === null ? (this.#asked.otherwise ?? 'latest') : { offset: committed.offset };
  }

  /** A topic is there, or has more partitions than before. */
  #grown(name: string, partitionCount: number): void {
    if (this.#asked.partitions !== undefined || !this.#includes(name)) return;
    // A member hears of it by its group.
    if (this.#member !== null) return this.#member.subscribe(this.#topicNames());
    for (let partition = 0; partition < partitionCount; partition++) {
      if (this.#partitions.has(keyOf(name, partition)) || this.#partitions.size >= mostPartitions) continue;
      void this.#add({ topic: name, partition }, 'earliest');
    }
  }
}

function keyOf(topic: string, partition: number): string {
  return `${topic} ${partition}`;
}

function invalid(message: string): Refusal {
  return { errorCode: ErrorCode.INVALID_REQUEST, message };
}
