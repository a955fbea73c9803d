/**
 * A fetch of a share group's member: waits until there is something to acquire, reads it and gives it out. I/O thread.
 *
 *   partitions brought into use → wait for bytes, or for records to come back → room (fetch-memory.ts)
 *     → read about as much as may be acquired → acquire from what was read → answers, cut to what was acquired
 *
 * A partition is read by one fetch at a time, since what it reads it gives out. A member asks for so many records and for
 * many more bytes, so that what is read follows how large the partition's records were the last time: some may be missing
 * to what it may have, which come with the next fetch. It does not know sessions (share-session.ts).
 */

import { EnvironmentError } from '../../base/environment-error.ts';
import { ErrorCode } from '../../base/error-code.ts';
import { asOffset } from '../../base/numbers.ts';
import { zeroUuid } from '../../base/uuid.ts';
import {
  defaultFetchResponseResponsesPartitions,
  defaultShareFetchResponseResponsesPartitions,
  type ShareFetchResponseResponsesPartitions,
} from '../../protocol/generated/index.ts';
import type { IsolationLevel, ReadResult } from '../../storage/partition-log.ts';
import { AclOperation, allowsOnTopic } from '../authorizer.ts';
import type { Broker } from '../broker.ts';
import { smallGrantBytes, type FetchGrant } from '../fetch-memory.ts';
import { noRecords, type ExaminedPartition } from '../fetch-read.ts';
import { reserveFetchMemory } from '../fetch-reservation.ts';
import { FetchPartition } from '../fetch-session.ts';
import { isRefusal } from '../groups/consumer/refusal.ts';
import { placeName, type SharePlace } from '../groups/share/share-records.ts';
import type { RequestContext } from '../request-context.ts';
import type { AcquireMode, LogBatch } from './acquiring.ts';
import { acquiredBytes, batchesIn, hiddenBatches, withoutHidden } from './read-batches.ts';
import type { RunningSharePartition } from './running-share-partition.ts';

export interface ShareFetching {
  readonly groupId: string;
  readonly memberId: string;
  readonly mode: AcquireMode;
  readonly batchSize: number;
  readonly maxRecords: number;
  readonly maxBytes: number;
  readonly minBytes: number;
  readonly maxWaitMs: number;
  readonly isolation: IsolationLevel;
}

/** What became of one partition. */
export interface ShareAnswer {
  readonly place: SharePlace;
  readonly data: ShareFetchResponseResponsesPartitions;
}

/** The answers, and what their records lie in. */
export interface ShareFetched {
  readonly answers: readonly ShareAnswer[];
  readonly reads: readonly ReadResult[];
  readonly grant: FetchGrant | null;
}

/** A partition in use, with its answer. */
interface Candidate extends ShareAnswer {
  readonly partition: RunningSharePartition;
}

/** One that was read. */
interface ReadCandidate extends Candidate {
  readonly result: ReadResult;
  readonly fetchOffset: number;
  /** Whole ones; one at least. */
  readonly batches: readonly LogBatch[];
}

/** However few and small the records are that are wanted, so much is read at once. */
const leastReadBytes = 64 * 1024;
/** Roughly what a response says of a partition beside its records. */
const partitionBytes = 64;

export async function fetchShare(
  places: Iterable<SharePlace>,
  fetching: ShareFetching,
  context: RequestContext,
  broker: Broker,
): Promise<ShareFetched> {
  const answers: ShareAnswer[] = [];
  const candidates = await openAll(places, fetching, context, broker, answers);
  const nothing = { answers, reads: [], grant: null };
  if (candidates.length === 0 || fetching.maxRecords < 0) return nothing;
  const { clock } = broker;
  const dueMs = clock.monotonicMs() + fetching.maxWaitMs;
  for (let mustWait = false; ;) {
    const leftMs = dueMs - clock.monotonicMs();
    if (leftMs > 0 && (mustWait || bytesIn(candidates, fetching) < fetching.minBytes)) {
      await untilChanged(candidates, fetching, leftMs, mustWait, context, broker);
    }
    if (!context.connection.open) return nothing;
    const before = candidates.map(({ partition }) => partition.state.nextFetchOffset);
    const fetched = await readAndAcquire(candidates, fetching, context, broker);
    if (fetched !== null) return { answers, ...fetched };
    const hasFailed = candidates.some(({ data }) => data.errorCode !== ErrorCode.NONE);
    if (hasFailed || clock.monotonicMs() >= dueMs || broker.fetchWaits.isStopped) return nothing;
    // What was read may all have been passed over; where nothing has moved, something has to happen first.
    mustWait = candidates.every(({ partition }, i) => partition.state.nextFetchOffset === before[i]);
  }
}

/** Brings the partitions into use; each gets its answer, those that cannot be used with why. */
async function openAll(
  places: Iterable<SharePlace>,
  fetching: ShareFetching,
  context: RequestContext,
  broker: Broker,
  answers: ShareAnswer[],
): Promise<Candidate[]> {
  const { groupId } = fetching;
  const candidates: Candidate[] = [];
  const opening: Promise<unknown>[] = [];
  for (const place of places) {
    const data = defaultShareFetchResponseResponsesPartitions();
    data.partitionIndex = place.partition;
    data.records = noRecords;
    answers.push({ place, data });
    data.errorCode = problemOf(place, context, broker);
    if (data.errorCode !== ErrorCode.NONE) continue;
    if (wantsNothing(fetching)) {
      answers.pop();
      continue;
    }
    const took = (opened: Awaited<ReturnType<typeof broker.groups.sharePartitions.open>>): void => {
      if (!isRefusal(opened)) candidates.push({ place, data, partition: opened });
      else [data.errorCode, data.errorMessage] = [opened.errorCode, opened.message];
    };
    const opened = broker.groups.sharePartitions.open(groupId, place);
    if (opened instanceof Promise) opening.push(opened.then(took));
    else took(opened);
  }
  await Promise.all(opening);
  return candidates;
}

/** Whether the fetch acquires nothing whatever is there: then its partitions are not even looked at. */
function wantsNothing({ maxRecords, maxBytes }: ShareFetching): boolean {
  return maxRecords === 0 || maxBytes === 0;
}

function problemOf({ topicId, partition }: SharePlace, context: RequestContext, broker: Broker): ErrorCode {
  const topic = topicId === zeroUuid ? null : broker.topics.topicById(topicId);
  if (topic === null) return ErrorCode.UNKNOWN_TOPIC_ID;
  if (!allowsOnTopic(broker.authorizer, context, AclOperation.READ, topic.name)) {
    return ErrorCode.TOPIC_AUTHORIZATION_FAILED;
  }
  const exists = partition >= 0 && partition < topic.partitionCount;
  return exists ? ErrorCode.NONE : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
}

/** How many bytes could be acquired now, roughly. */
function bytesIn(candidates: readonly Candidate[], { isolation }: ShareFetching): number {
  let sumBytes = 0;
  for (const { partition } of candidates) sumBytes += availableBytes(partition, isolation);
  return sumBytes;
}

function availableBytes(partition: RunningSharePartition, isolation: IsolationLevel): number {
  if (!partition.canAcquire()) return 0;
  const { state, log } = partition;
  return log.availableBytes(asOffset(state.nextFetchOffset), isolation);
}

/** Waits until there are bytes enough, records came back, or the time is up. */
async function untilChanged(
  candidates: readonly Candidate[],
  { minBytes, isolation }: ShareFetching,
  maxWaitMs: number,
  forMore: boolean,
  { connection }: RequestContext,
  broker: Broker,
): Promise<void> {
  const partitions = candidates.map(({ place, partition }): ExaminedPartition => {
    const { topic, log, state } = partition;
    const awaited = new FetchPartition(topic.name, place.topicId, placeName(place), place.partition);
    awaited.fetchOffset = state.nextFetchOffset;
    awaited.maxBytes = Infinity;
    // What cannot be acquired whatever comes is waited for as a change of the share partition alone.
    const source = partition.canAcquire() ? { topic, log } : null;
    const available = source === null ? 0 : log.availableBytes(asOffset(awaited.fetchOffset), isolation);
    const data = defaultFetchResponseResponsesPartitions();
    return { partition: awaited, data, source, availableBytes: available, urgent: false };
  });
  const atLeastBytes = forMore ? partitions.reduce((sum, one) => sum + one.availableBytes, 1) : minBytes;
  await broker.fetchWaits.forBytes({
    partitions,
    minBytes: atLeastBytes,
    maxWaitMs,
    isolation,
    connection,
    onOther: (wake) => {
      const stops = candidates.map(({ partition }) => partition.onChange(wake));
      return () => {
        for (const stop of stops) stop();
      };
    },
  });
}

/** Reads what can be acquired, and acquires it; null where nothing was. What its quota withholds nobody acquires. */
async function readAndAcquire(
  candidates: readonly Candidate[],
  fetching: ShareFetching,
  context: RequestContext,
  broker: Broker,
): Promise<Omit<ShareFetched, 'answers'> | null> {
  const wantedBytes = Math.min(bytesToRead(candidates, fetching), Math.max(fetching.maxBytes, smallGrantBytes));
  if (wantedBytes === 0) return null;
  const grant = await reserveFetchMemory(wantedBytes, fetching.maxWaitMs, context, broker);
  if (grant === null) return null;
  const able = candidates.filter(({ partition }) => availableBytes(partition, fetching.isolation) > 0);
  for (const { partition } of able) partition.isReading = true;
  let read: readonly ReadCandidate[] = [];
  let used: readonly ReadResult[] = [];
  try {
    read = await readAll(able, Math.min(fetching.maxBytes, grant.sizeBytes), fetching, broker);
    if (!context.connection.open) return null;
    if (!isAdmitted(read, context)) return { reads: [], grant: null };
    used = acquireAll(read, fetching);
  } finally {
    for (const { partition } of able) partition.readDone();
    for (const { result } of read) if (!used.includes(result)) result.release();
    if (used.length === 0) grant.release();
  }
  if (used.length === 0) return null;
  grant.settle(used.reduce((sum, { records }) => sum + records.length, 0));
  return { reads: used, grant };
}

/** How many bytes a fetch reads of the partitions, at the most. */
function bytesToRead(candidates: readonly Candidate[], { isolation, maxRecords }: ShareFetching): number {
  let sumBytes = 0;
  for (const { partition } of candidates) {
    sumBytes += Math.min(availableBytes(partition, isolation), boundBytes(partition, maxRecords));
  }
  return sumBytes;
}

/** Twice what so many records took the last time, as no two batches are alike. */
function boundBytes({ bytesPerRecord }: RunningSharePartition, maxRecords: number): number {
  return Math.max(leastReadBytes, Math.ceil(2 * maxRecords * bytesPerRecord));
}

/**
 * Reads from one partition after the other until there are records enough, of each no more than its part of the bytes; the
 * first may read a batch that is larger, and who gets records comes last the next time.
 */
async function readAll(
  able: readonly Candidate[],
  maxBytes: number,
  { isolation, maxRecords }: ShareFetching,
  broker: Broker,
): Promise<ReadCandidate[]> {
  const read: ReadCandidate[] = [];
  const partBytes = Math.max(1, Math.floor(maxBytes / able.length));
  let left = maxRecords;
  for (const candidate of able) {
    if (left <= 0) break;
    const { partition } = candidate;
    const { log, state } = partition;
    const fetchOffset = state.nextFetchOffset;
    try {
      const minOneBatch = read.length === 0;
      const boundedBytes = Math.min(partBytes, boundBytes(partition, left));
      const reading = log.read({ offset: asOffset(fetchOffset), maxBytes: boundedBytes, minOneBatch, isolation });
      const result = reading instanceof Promise ? await reading : reading;
      const batches = batchesIn(result.records);
      if (result.errorCode === ErrorCode.NONE && batches.length > 0) {
        read.push({ ...candidate, result, fetchOffset, batches });
        left -= partition.hasRead(fetchOffset, batches, result.records.length);
        continue;
      }
      result.release();
      candidate.data.errorCode = result.errorCode;
    } catch (error) {
      const { topic, partition } = log;
      broker.logger.error({ topic, partition, offset: fetchOffset, error }, 'A share fetch could not read.');
      const isEnvironment = error instanceof EnvironmentError;
      candidate.data.errorCode = isEnvironment ? ErrorCode.KAFKA_STORAGE_ERROR : ErrorCode.UNKNOWN_SERVER_ERROR;
    }
  }
  return read;
}

/** Whether the client's quota lets it have what was read. */
function isAdmitted(read: readonly ReadCandidate[], { charge }: RequestContext): boolean {
  if (charge === null) return true;
  let sizeBytes = 0;
  for (const { result } of read) sizeBytes += result.records.length + partitionBytes;
  return charge.admitFetch(sizeBytes);
}

/** Acquires from what was read, in order, until there are records enough. Returns the reads that are sent. */
function acquireAll(read: readonly ReadCandidate[], fetching: ShareFetching): ReadResult[] {
  const { memberId, mode, batchSize } = fetching;
  const used: ReadResult[] = [];
  let left = fetching.maxRecords;
  for (const { partition, data, result, fetchOffset, batches } of read) {
    if (left <= 0) break;
    let acquired = partition.acquire({ memberId, mode, batchSize, maxRecords: left, fetchOffset, batches });
    const hidden = hiddenBatches(result);
    for (const { baseOffset, lastOffset } of hidden) partition.hide(baseOffset, lastOffset);
    acquired = withoutHidden(acquired, hidden);
    if (acquired.length === 0) continue;
    for (const { firstOffset, lastOffset } of acquired) left -= lastOffset + 1 - firstOffset;
    data.acquiredRecords = acquired.map((range) => ({ ...range }));
    data.records = acquiredBytes(result.records, acquired[0]!.firstOffset, acquired.at(-1)!.lastOffset);
    used.push(result);
  }
  return used;
}
