/**
 * Where a consumer reads: the partitions that it has, and from where on in each. Any thread.
 *
 *   assigned ─► from where? the assignment says ─► where this consumer was, unless another has committed since
 *                                              ─► the group's position ─► `from`
 *            ─► owned: fetched and handed out ─► released
 *
 * It neither fetches nor hands out records, nor does it commit.
 */

import { ErrorCode } from '../base/error-code.ts';
import type { Cluster } from './cluster.ts';
import { ConsumedPartition } from './consumed-partition.ts';
import type { ConsumerCommits } from './consumer-commits.ts';
import type { AssignedPartition, ConsumerOptions } from './consumer-options.ts';
import { KafkaError } from './kafka-error.ts';
import { type Isolation, listOffsets, type Place, placeName, type TopicPartition } from './offsets.ts';
import type { RecordLoop } from './record-loop.ts';
import { delay } from './waiting.ts';

type Options = Pick<
  ConsumerOptions<unknown, unknown>,
  'topics' | 'partitions' | 'from' | 'outOfRange' | 'growthIntervalMs'
>;

/** Whose partitions they are. */
export interface PlacesOwner {
  readonly loop: RecordLoop;
  /** Null without a group. */
  readonly commits: ConsumerCommits | null;
  /** Ends all that waits here. */
  readonly signal: AbortSignal;
  /** There may be something to fetch. */
  wake(): void;
  /** The consumer cannot go on. */
  failed(error: Error): void;
}

export class ConsumerPlaces {
  readonly #cluster: Cluster;
  readonly #options: Options;
  readonly #isolation: Isolation;
  readonly #owner: PlacesOwner;
  readonly #partitions = new Map<string, ConsumedPartition>();

  constructor(cluster: Cluster, options: Options, isolation: Isolation, owner: PlacesOwner) {
    this.#cluster = cluster;
    this.#options = options;
    this.#isolation = isolation;
    this.#owner = owner;
  }

  /** Those that are read, and those that were. */
  all(): Iterable<ConsumedPartition> {
    return this.#partitions.values();
  }

  owned(): ConsumedPartition[] {
    return [...this.#partitions.values()].filter(({ isOwned }) => isOwned);
  }

  find(place: TopicPartition): ConsumedPartition | undefined {
    return this.#partitions.get(placeName(place));
  }

  of({ topic, partition }: TopicPartition): ConsumedPartition {
    const name = placeName({ topic, partition });
    let consumed = this.#partitions.get(name);
    if (consumed === undefined) {
      consumed = new ConsumedPartition(topic, partition);
      this.#partitions.set(name, consumed);
    }
    return consumed;
  }

  /** As `Consumer.seek`. */
  async seek(partition: TopicPartition, to: Place | { readonly offset: number }): Promise<void> {
    const sought = this.find(partition);
    if (sought?.isOwned !== true) {
      throw new KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `${placeName(partition)} is not read here`);
    }
    // At once, so that nothing of where it was is handed out meanwhile.
    this.#move(sought, -1);
    await this.#goOn(sought, sought.version, to);
  }

  /** The partition does not have the offset that was to be read: goes on where `outOfRange` says, or fails. */
  async outOfRange(partition: ConsumedPartition): Promise<void> {
    const policy = this.#options.outOfRange ?? 'fail';
    const { version, position } = partition;
    const lost = new KafkaError(
      ErrorCode.OFFSET_OUT_OF_RANGE,
      `${placeName(partition)} does not have offset ${position}: it was deleted, or the log was cut off; see outOfRange`,
    );
    // What was read ahead is still there to be handed out, unless all of it was.
    if (policy === 'fail') return this.#owner.failed(lost);
    this.#cluster.settings.onRetry(lost);
    try {
      await this.#goOn(partition, version, policy);
    } catch (error) {
      this.#owner.failed(error as Error);
    }
  }

  /** Begins to read: where the group, or `from`, says, or where this consumer was, if nobody else has committed since. */
  async assign(partitions: readonly AssignedPartition[]): Promise<void> {
    if (partitions.length === 0) return;
    const { signal } = this.#owner;
    // A commit that is under way may be heard of before the answer that does not know of it yet.
    const before = partitions.map((assigned) => {
      const { committed: last, uncertain } = this.of(assigned);
      return { last, ours: new Set([last, ...uncertain]) };
    });
    const committed = await this.#owner.commits?.committed(partitions, this.#isolation, signal);
    const undecided: ConsumedPartition[] = [];
    for (const [i, assigned] of partitions.entries()) {
      const partition = this.of(assigned);
      const known = committed?.get(placeName(assigned))?.offset ?? -1;
      const { last, ours } = before[i]!;
      // Also where the answer to a commit was lost.
      const isNewest = partition.committed === known || partition.uncertain.has(known);
      const isOurs = partition.position >= 0 && (isNewest || ours.has(known));
      const isOvertaken = isOurs && partition.committed !== last;
      if (!isOvertaken) {
        partition.committed = known;
        partition.uncertain.clear();
      }
      if (assigned.from !== undefined) this.#move(partition, await this.#offsetOf(assigned, assigned.from));
      else if (!isOurs && known >= 0) this.#move(partition, known);
      else if (!isOurs) undecided.push(partition);
    }
    await this.#beginUndecided(undecided);
    for (const assigned of partitions) this.of(assigned).isOwned = true;
    for (const topic of new Set(partitions.map(({ topic }) => topic))) {
      await this.#cluster.topic(topic, false, { signal, timeoutMs: Infinity });
    }
    this.#owner.wake();
  }

  /** Without a group's assignment: the partitions named, or all of the topics, and those that they get later. */
  async assignByHand(): Promise<void> {
    const { partitions, topics = [] } = this.#options;
    const { signal } = this.#owner;
    if (partitions !== undefined) return this.assign(partitions);
    try {
      for (let isFirst = true; ; isFirst = false) {
        if (!isFirst)
          await this.#cluster.retrying(() => this.#cluster.refresh(topics), { signal, timeoutMs: Infinity });
        for (const topic of topics) {
          const known = await this.#cluster.topic(topic, false, { signal, timeoutMs: Infinity });
          const added = known.partitions.filter(({ partition }) => !this.of({ topic, partition }).isOwned);
          // What appears later is new as a whole.
          const from = isFirst ? {} : ({ from: 'earliest' } as const);
          await this.assign(added.map(({ partition }) => ({ topic, partition, ...from })));
        }
        await delay(this.#options.growthIntervalMs ?? 30_000, signal);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** Nothing more of them is handed out. */
  release(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) this.of(partition).release();
    this.#owner.loop.forgetReleased();
    this.#owner.wake();
  }

  /** Reads from `to` on, unless the partition has gone elsewhere since it was of `version`. */
  async #goOn(partition: ConsumedPartition, version: number, to: Place | { readonly offset: number }): Promise<void> {
    const offset = await this.#offsetOf(partition, to);
    if (partition.version === version) partition.moveTo(offset);
    this.#owner.wake();
  }

  async #beginUndecided(partitions: readonly ConsumedPartition[]): Promise<void> {
    if (partitions.length === 0) return;
    const { signal } = this.#owner;
    const from = this.#options.from ?? 'earliest';
    const offsets = await listOffsets(this.#cluster, partitions, from, this.#isolation, {
      signal,
      timeoutMs: Infinity,
    });
    partitions.forEach((partition, i) => this.#move(partition, offsets[i]!));
  }

  /** Goes on elsewhere; what the loop has in its hands says nothing of where it is any more. */
  #move(partition: ConsumedPartition, offset: number): void {
    partition.moveTo(offset);
    this.#owner.loop.moved(partition);
  }

  async #offsetOf(partition: TopicPartition, place: Place | { readonly offset: number }): Promise<number> {
    if (typeof place === 'object' && 'offset' in place) return place.offset;
    const options = { signal: this.#owner.signal, timeoutMs: Infinity };
    return (await listOffsets(this.#cluster, [partition], place, this.#isolation, options))[0]!;
  }
}
