/**
 * Bugs of share groups, planted between the coordinator and its log or clock. Any thread.
 */

import type { Clock } from '../../src/base/clock.ts';
import { asOffset } from '../../src/base/numbers.ts';
import { encodeKeyedBatch, readKeyedBatches, type KeyedRecord } from '../../src/broker/keyed-batch.ts';
import { readGroupRecordKey } from '../../src/broker/groups/group-records.ts';
import {
  partitionChangeRecord,
  partitionRecord,
  placeNamed,
  readPartitionChange,
  readStoredPartition,
} from '../../src/broker/groups/share/share-records.ts';
import type { PartitionChange, StoredPartition } from '../../src/broker/groups/share/stored-partition.ts';
import { stateLogTopics } from '../../src/broker/topic-name.ts';
import type { AppendListener, AppendOptions, PartitionLog } from '../../src/storage/partition-log.ts';
import { EarlyAnswers, inLogs, onlyIn, type ExpectedBug } from './planted-bug.ts';
import type { Profile } from './profile.ts';
import { shareLockMs } from './share-ledger.ts';
import { WrappedPartitionLog } from './wrapped-log-store.ts';

/** What share groups write of their partitions, as a whole or as a change. */
type Written = StoredPartition | PartitionChange;

/** What share groups write of their partitions says something else. */
class OtherPartitions extends WrappedPartitionLog {
  readonly #change: <T extends Written>(written: T) => T;

  constructor(inner: PartitionLog, change: <T extends Written>(written: T) => T) {
    super(inner);
    this.#change = change;
  }

  override append(batch: Uint8Array, options: AppendOptions, listener: AppendListener): void {
    const records: KeyedRecord[] = [];
    readKeyedBatches(batch, asOffset(0), (record) => records.push(this.#changed(record)));
    super.append(encodeKeyedBatch(records, Date.UTC(2026, 0, 1)), options, listener);
  }

  #changed(record: KeyedRecord): KeyedRecord {
    const key = readGroupRecordKey(record.key);
    if (key.kind !== 'share' || record.value === null) return record;
    const { group, part, name } = key;
    if (part === 'partition') {
      return partitionRecord(group, placeNamed(name), this.#change(readStoredPartition(record.value)));
    }
    if (part !== 'change') return record;
    return partitionChangeRecord(group, placeNamed(name), this.#change(readPartitionChange(record.value)));
  }
}

const inPartitions = (change: <T extends Written>(written: T) => T): NonNullable<ExpectedBug['store']> =>
  inLogs(onlyIn(stateLogTopics.groups, (log) => new OtherPartitions(log, change)));

function withoutCounts<T extends Written>(written: T): T {
  return { ...written, ranges: written.ranges.map((range) => ({ ...range, deliveryCount: 0 })) };
}

/** What has changed is not in what says so. */
function withoutChanges<T extends Written>(written: T): T {
  return written.ranges.some((range) => 'firstOffset' in range) ? { ...written, ranges: [] } : written;
}

function withoutEpoch<T extends Written>(written: T): T {
  return { ...written, leaderEpoch: -1 };
}

/** The start offset is one further where a record lies there that is not done. */
function oneTooFar<T extends Written>(written: T): T {
  const [first, ...rest] = written.ranges;
  if (written.startOffset < 0 || (first !== undefined && 'firstOffset' in first)) return written;
  const startOffset = written.startOffset + 1;
  if (first === undefined) return { ...written, startOffset };
  const ranges = first.recordCount === 1 ? rest : [{ ...first, recordCount: first.recordCount - 1 }, ...rest];
  return { ...written, startOffset, ranges };
}

/** Timers that are due when a lock ends never are. */
function withoutLockEnds(inner: Clock): Clock {
  const isLock = (delayMs: number): boolean => delayMs > shareLockMs / 2 && delayMs <= shareLockMs;
  return {
    nowMs: () => inner.nowMs(),
    monotonicMs: () => inner.monotonicMs(),
    heardMs: () => inner.heardMs(),
    attend: () => inner.attend(),
    setTimer: (delayMs, callback) => inner.setTimer(delayMs, isLock(delayMs) ? () => {} : callback),
    afterTurn: (callback) => inner.afterTurn(callback),
  };
}

/** Time passes twice as fast for the broker. */
function hurried(inner: Clock): Clock {
  return {
    nowMs: () => inner.nowMs(),
    monotonicMs: () => inner.monotonicMs() * 2,
    heardMs: () => inner.heardMs() * 2,
    attend: () => inner.attend(),
    setTimer: (delayMs, callback) => inner.setTimer(delayMs / 2, callback),
    afterTurn: (callback) => inner.afterTurn(callback),
  };
}

/** Share groups and little else. */
const profile: Partial<Profile> = {
  shares: 1,
  sharers: 3,
  groups: 0,
  consumers: 1,
  named: 0,
  publishers: 0,
  reconciling: 0,
  copies: 0,
  keyed: 0,
  topics: 1,
  producers: 1,
  thinkMs: 20,
  runMs: 3200,
  diskFaultEveryMs: Infinity,
  fullDiskEveryMs: Infinity,
};

export const shareBugs: readonly ExpectedBug[] = [
  {
    name: 'what share groups accept answered before the sync',
    store: inLogs(onlyIn(stateLogTopics.groups, (log) => new EarlyAnswers(log))),
    found: /^share.* is done, and is given to/,
    profile: { ...profile, powerCutChance: 1, crashEveryMs: 150, maxDiskMs: 40, maxNetworkMs: 1 },
  },
  {
    name: 'delivery counts that are not stored',
    store: inPartitions(withoutCounts),
    found: /^share.* was given back at .*, and is given out with a count of/,
    profile,
  },
  {
    name: 'changes of share groups that say nothing',
    store: inPartitions(withoutChanges),
    found: /^share.* (is done, and is given to|was given back at)/,
    profile,
  },
  {
    name: 'start offsets of share groups that are stored one too far',
    store: inPartitions(oneTooFar),
    found: /^share.* stands in the log, and is n/,
    profile,
  },
  {
    name: 'share groups that take records for those whose place they took after a power cut',
    store: inPartitions(withoutEpoch),
    found: /^share.* stands in the log, and is never given out/,
    profile: {
      ...profile,
      powerCutChance: 1,
      crashEveryMs: 150,
      maxDiskMs: 2,
      maxFlushStepMs: 1,
      maxNetworkMs: 1,
      thinkMs: 80,
    },
  },
  {
    name: 'locks of share groups that never end',
    clock: withoutLockEnds,
    found: /^share.* although its lock ended/,
    profile: { ...profile, crashEveryMs: Infinity, cutConnectionEveryMs: Infinity },
  },
  {
    name: 'locks of share groups that end early',
    clock: hurried,
    found: /^share.*(two members have|, and may not)/,
    profile: { ...profile, crashEveryMs: Infinity, cutConnectionEveryMs: Infinity },
  },
];
