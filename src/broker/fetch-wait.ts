/**
 * Fetches that wait until enough bytes are there (`fetch.min.bytes`) or their time is up. I/O thread.
 *
 *   append to one partition → its listener → the sum of bytes that wait grows by what came → enough? answer
 *
 * An append costs a waiting fetch the one partition that grew, however many it asks for. A fetch ends its wait as well
 * when its connection ends, when a topic that it asks for is deleted, and when the broker stops. It does not read.
 */

import type { Clock } from '../base/clock.ts';
import { asOffset } from '../base/numbers.ts';
import { PlacedList, type Placed } from '../base/placed-list.ts';
import type { IsolationLevel } from '../storage/partition-log.ts';
import { countedBytes, type ExaminedPartition } from './fetch-read.ts';
import type { ConnectionContext } from './request-context.ts';
import type { TopicCatalog } from './topic-catalog.ts';

/** A fetch that waits. */
interface Wait extends Placed {
  readonly finish: () => void;
}

export interface AwaitedBytes {
  readonly partitions: readonly ExaminedPartition[];
  readonly minBytes: number;
  readonly maxWaitMs: number;
  readonly isolation: IsolationLevel;
  readonly connection: ConnectionContext;
  /** Calls `wake` where there is another reason to look again; returns how to stop that. */
  readonly onOther?: (wake: () => void) => () => void;
}

/** What all fetches that wait may ask for together. Each partition takes some hundred bytes meanwhile. */
const maxWaitingPartitions = 250_000;
/** A fetch of at most so many partitions may wait whatever the others do. */
const fewPartitions = 100;
const shareOfFree = 4;

export class FetchWaits {
  #waitingPartitions = 0;
  readonly #clock: Clock;
  readonly #topics: TopicCatalog;
  readonly #waiting = new PlacedList<Wait>();
  #stopped = false;

  constructor(clock: Clock, topics: TopicCatalog) {
    this.#clock = clock;
    this.#topics = topics;
  }

  /** Fetches that wait now. */
  get count(): number {
    return this.#waiting.size;
  }

  /** Whether nobody waits any more. */
  get isStopped(): boolean {
    return this.#stopped;
  }

  /** Ends all waits; from here on none begins. */
  stop(): void {
    this.#stopped = true;
    for (const { finish } of [...this.#waiting]) finish();
  }

  /**
   * Resolves once there are `minBytes`, or there is no use in waiting any longer, with the partitions of which more is
   * there than before, or nothing any more.
   */
  forBytes({
    partitions,
    minBytes,
    maxWaitMs,
    isolation,
    connection,
    onOther,
  }: AwaitedBytes): Promise<ReadonlySet<ExaminedPartition>> {
    const changed = new Set<ExaminedPartition>();
    if (this.#stopped || !connection.open) return Promise.resolve(changed);
    // Without room for it to wait in, a fetch is answered with what is there.
    const share = Math.max((maxWaitingPartitions - this.#waitingPartitions) / shareOfFree, fewPartitions);
    if (partitions.length > share) return Promise.resolve(changed);
    return new Promise((resolve) => {
      this.#waitingPartitions += partitions.length;
      const stops: (() => void)[] = [];
      const finish = (): void => {
        if (!this.#waiting.delete(wait)) return;
        this.#waitingPartitions -= partitions.length;
        for (const stop of stops) stop();
        resolve(changed);
      };
      const wait: Wait = { place: -1, finish };
      this.#waiting.add(wait);
      const timer = this.#clock.setTimer(maxWaitMs, finish);
      stops.push(() => timer.cancel(), connection.onClose(finish));
      if (onOther !== undefined) stops.push(onOther(finish));
      let sumBytes = 0;
      for (const one of partitions) {
        const { partition, source, availableBytes } = one;
        if (source === null) continue;
        const { log } = source;
        const offset = asOffset(partition.fetchOffset);
        let bytes = countedBytes(partition, availableBytes);
        sumBytes += bytes;
        const advanced = (): void => {
          changed.add(one);
          sumBytes -= bytes;
          bytes = countedBytes(partition, log.availableBytes(offset, isolation));
          sumBytes += bytes;
          if (sumBytes >= minBytes) finish();
        };
        stops.push(log.onAdvance(advanced));
      }
      stops.push(
        this.#topics.onDeleted(({ id }) => {
          const gone = partitions.filter(({ source }) => source?.topic.id === id);
          for (const one of gone) changed.add(one);
          if (gone.length > 0) finish();
        }),
      );
    });
  }
}
