/**
 * What kind of run a seed makes: how fast the network and the disk are, how large segments are, what breaks and how
 * often. Pure; drawn from the run's own randomness, so that all runs together meet all combinations.
 */

import type { SeededRandom } from '../../src/base/random.ts';
import type { DirectSupport } from './simulated-file-system.ts';

export interface Profile {
  /** How long the actors work, in virtual milliseconds, before the run calms down and is judged. */
  readonly runMs: number;
  readonly maxNetworkMs: number;
  readonly maxDiskMs: number;
  readonly maxFlushStepMs: number;
  readonly segmentBytes: number;
  readonly indexIntervalBytes: number;
  /** Chance that a write of the disk is a short one. */
  readonly shortWriteChance: number;
  /** Mean virtual milliseconds from one crash to the next; Infinity where there are none. */
  readonly crashEveryMs: number;
  /** Of the crashes, how many are power cuts. */
  readonly powerCutChance: number;
  readonly cutConnectionEveryMs: number;
  readonly diskFaultEveryMs: number;
  readonly fullDiskEveryMs: number;
  readonly clockJumpEveryMs: number;
  readonly topics: number;
  readonly producers: number;
  readonly named: number;
  /** Senders behind doors that are not Kafka's. */
  readonly publishers: number;
  readonly consumers: number;
  readonly groups: number;
  readonly membersPerGroup: number;
  /** Members of one group of the consumer protocol. */
  readonly reconciling: number;
  /** Members of one streams group. */
  readonly streamers: number;
  /** The longest that a producer thinks between two rounds, in virtual milliseconds. */
  readonly thinkMs: number;
  readonly valueBytes: number;
  /** Groups from so many bytes on are written past the page cache. */
  readonly directFromBytes: number;
  readonly directWrites: DirectSupport;
  /** Streams that are copied in transactions, and how many producers each has at once. */
  readonly copies: number;
  readonly copiersPerStream: number;
  /** Compacted topics. */
  readonly keyed: number;
  /** Share groups, each with a topic of its own, and how many members each has. */
  readonly shares: number;
  readonly sharers: number;
  /** Chance that a client that waits for a sync counts as the only one there, so that the broker syncs in its own thread. */
  readonly loneChance: number;
}

/** Draws a profile. */
export function drawProfile(random: SeededRandom): Profile {
  const pick = <T>(...choices: readonly T[]): T => choices[random.below(choices.length)]!;
  const never = Number.POSITIVE_INFINITY;
  return {
    runMs: pick(800, 1600, 3200),
    maxNetworkMs: pick(1, 5, 20),
    maxDiskMs: pick(2, 10, 40),
    maxFlushStepMs: pick(1, 4, 15),
    segmentBytes: pick(2048, 4096, 16_384),
    indexIntervalBytes: pick(64, 256, 4096),
    shortWriteChance: pick(0, 0, 0.05),
    crashEveryMs: pick(never, 300, 1000, 1000),
    powerCutChance: pick(0, 0.5, 0.5, 1),
    cutConnectionEveryMs: pick(never, 100, 400),
    diskFaultEveryMs: pick(never, never, 500),
    fullDiskEveryMs: pick(never, never, 1000),
    clockJumpEveryMs: pick(never, never, 1000),
    topics: 1 + random.below(3),
    producers: 1 + random.below(4),
    consumers: 1 + random.below(2),
    groups: random.below(3),
    membersPerGroup: 1 + random.below(3),
    thinkMs: pick(20, 80),
    valueBytes: pick(10, 100, 400),
    named: random.below(3),
    publishers: random.below(3),
    reconciling: pick(0, 2, 4),
    directFromBytes: pick(1, 1000, never),
    directWrites: pick<DirectSupport>('taken', 'taken', 'taken', 'refused by open', 'refused by write'),
    copies: random.below(3),
    copiersPerStream: 1 + random.below(2),
    keyed: pick(0, 0, 1),
    shares: pick(0, 1),
    sharers: 1 + random.below(3),
    streamers: pick(0, 0, 3),
    loneChance: pick(0, 0.5, 1),
  };
}
