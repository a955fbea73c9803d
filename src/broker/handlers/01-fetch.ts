/**
 * Fetch: records of many partitions from where their reader is, waiting for some where there are none. I/O thread.
 *
 *   session (fetch-context.ts) → examine (fetch-read.ts) → wait for min bytes (fetch-wait.ts) → room (fetch-memory.ts)
 *     → read into the answers → what the client does not know yet → response, released once its bytes have left
 *
 * Where there are many partitions, they are examined and read in turns with others (fetch-turns.ts).
 * Records of some KiB go from the log's buffers into the response's chunks without a copy; fewer are copied by the `Writer`,
 * and small responses once more, into one write (server/request-pipeline.ts).
 */

import { ErrorCode } from '../../base/error-code.ts';
import {
  defaultFetchResponse,
  defaultFetchResponseResponses,
  defaultFetchResponseResponsesPartitions,
  type FetchRequest,
  type FetchResponse,
} from '../../protocol/generated/index.ts';
import type { ReadResult } from '../../storage/partition-log.ts';
import type { Broker } from '../broker.ts';
import { openFetchContext, type FetchContext, type FetchOutcome } from '../fetch-context.ts';
import { smallGrantBytes, type FetchGrant } from '../fetch-memory.ts';
import { reserveFetchMemory } from '../fetch-reservation.ts';
import {
  countedBytes,
  examine,
  firstVersionWithLeader,
  noRecords,
  readPartitions,
  type ExaminedPartition,
  type FetchScope,
} from '../fetch-read.ts';
import type { ApiHandler, RequestContext } from '../request-context.ts';

const firstVersionWithReplicaState = 15;
const firstVersionWithTopLevelErrors = 13;
const isolationLevels = ['read_uncommitted', 'read_committed'] as const;

/** Roughly what a response says at its head, and of each partition beside its records and its topic. */
const headBytes = 28;
const partitionBytes = 46;
const topicIdBytes = 16;

/** A response with what its records lie in. */
interface HoldingFetchResponse extends FetchResponse {
  readonly reads: readonly ReadResult[];
  readonly grant: FetchGrant | null;
}

export const fetchHandler: ApiHandler<FetchRequest, HoldingFetchResponse> = {
  apiKey: 1,
  async handle(request, context, broker) {
    const { apiVersion, connection } = context;
    const isolation = isolationLevels[request.isolationLevel];
    if (isolation === undefined) return refused(request, ErrorCode.UNKNOWN_SERVER_ERROR, apiVersion);
    const { replicaState } = request;
    const replicaId = apiVersion >= firstVersionWithReplicaState ? replicaState.replicaId : request.replicaId;
    const scope: FetchScope = { broker, context, apiVersion, isolation, replicaId };
    const fetch = openFetchContext(request, apiVersion, broker.fetchSessions);
    const quotaBytes = context.charge?.fetchBoundBytes ?? Infinity;
    const maxBytes = Math.min(Math.max(request.maxBytes, 0), broker.config.number('fetch.max.bytes'), quotaBytes);
    const examining = broker.fetchTurns.run(fetch.partitionCount, () =>
      Array.from(fetch.partitions(), (partition) => examine(partition, scope)),
    );
    let examined = examining instanceof Promise ? await examining : examining;
    const minBytes = Math.min(request.minBytes, maxBytes);
    if (request.maxWaitMs > 0 && mustWait(examined, minBytes)) {
      const { maxWaitMs } = request;
      const awaited = { partitions: examined, minBytes, maxWaitMs, isolation, connection };
      const changed = await broker.fetchWaits.forBytes(awaited);
      examined = examined.map((one) => (changed.has(one) ? examine(one.partition, scope) : one));
    }
    return answer(fetch, examined, maxBytes, request, context, scope);
  },
  released({ reads, grant }) {
    for (const read of reads) read.release();
    grant?.release();
  },
};

/** Whether more has to come before the client is answered. */
function mustWait(examined: readonly ExaminedPartition[], minBytes: number): boolean {
  let sumBytes = 0;
  let readable = false;
  for (const { partition, source, availableBytes, urgent } of examined) {
    if (urgent) return false;
    readable ||= source !== null;
    sumBytes += countedBytes(partition, availableBytes);
  }
  return readable && sumBytes < minBytes;
}

async function answer(
  fetch: FetchContext,
  examined: readonly ExaminedPartition[],
  maxBytes: number,
  { maxWaitMs }: FetchRequest,
  context: RequestContext,
  scope: FetchScope,
): Promise<HoldingFetchResponse> {
  const { broker } = scope;
  const { connection } = context;
  const wantedBytes = connection.open ? bytesWanted(examined, maxBytes) : 0;
  const grant = wantedBytes === 0 ? null : await reserveFetchMemory(wantedBytes, maxWaitMs, context, broker);
  // Nobody is there any more to read for.
  if (!connection.open) {
    grant?.release();
    return { ...defaultFetchResponse(), reads: [], grant: null };
  }
  return broker.fetchTurns.run(fetch.partitionCount, () =>
    read(fetch, examined, grant, wantedBytes, maxBytes, context, scope),
  );
}

/** The last step: reads within the grant, and says what the client does not know yet. */
async function read(
  fetch: FetchContext,
  examined: readonly ExaminedPartition[],
  grant: FetchGrant | null,
  wantedBytes: number,
  maxBytes: number,
  context: RequestContext,
  scope: FetchScope,
): Promise<HoldingFetchResponse> {
  let reads: readonly ReadResult[] = [];
  if (grant !== null) {
    // What waits is known only roughly: the grant bounds the read where it is less than was asked for.
    const boundBytes = grant.sizeBytes < wantedBytes ? Math.min(maxBytes, grant.sizeBytes) : maxBytes;
    reads = await readPartitions(examined, boundBytes, scope);
    grant.settle(reads.reduce((sum, { records }) => sum + records.length, 0));
  }
  const admitted = context.charge === null || context.charge.admitFetch(sizeOf(reads, examined));
  const outcome = admitted ? fetch.conclude(examined) : fetch.withhold();
  const response: HoldingFetchResponse = { ...responseOf(outcome, context, scope.broker), reads, grant };
  if (admitted && outcome.errorCode === ErrorCode.NONE) return response;
  fetchHandler.released?.(response);
  return { ...response, reads: [], grant: null };
}

/** What a fetch's quota is charged with: its records, and what stands around those of each partition that has some. */
function sizeOf(reads: readonly ReadResult[], examined: readonly ExaminedPartition[]): number {
  let sizeBytes = headBytes;
  for (const { records } of reads) sizeBytes += records.length;
  for (const { partition, availableBytes } of examined) {
    if (availableBytes > 0) sizeBytes += partitionBytes + (partition.topicName?.length ?? topicIdBytes);
  }
  return sizeBytes;
}

/** How much memory the fetch can use: what waits, up to its bounds; but its first batch may be larger than those. */
function bytesWanted(examined: readonly ExaminedPartition[], maxBytes: number): number {
  let availableBytes = 0;
  let boundedBytes = 0;
  for (const one of examined) {
    availableBytes += one.availableBytes;
    boundedBytes += countedBytes(one.partition, one.availableBytes);
  }
  return Math.min(availableBytes, Math.max(Math.min(boundedBytes, maxBytes), smallGrantBytes));
}

function responseOf(
  { errorCode, sessionId, answers }: FetchOutcome,
  context: RequestContext,
  broker: Broker,
): FetchResponse {
  const response: FetchResponse = { ...defaultFetchResponse(), errorCode, sessionId };
  let topic: FetchResponse['responses'][number] | null = null;
  let namesLeader = false;
  for (const { partition, data } of answers) {
    const { topicId, topicName } = partition;
    if (topic === null || topic.topicId !== topicId || topic.topic !== (topicName ?? '')) {
      topic = { ...defaultFetchResponseResponses(), topicId, topic: topicName ?? '' };
      response.responses.push(topic);
    }
    topic.partitions.push(data);
    namesLeader ||= data.currentLeader.leaderId >= 0;
  }
  if (namesLeader && context.apiVersion >= firstVersionWithLeader) {
    const { advertisedHost: host, advertisedPort: port } = context.connection;
    response.nodeEndpoints = [{ nodeId: broker.nodeId, host, port, rack: null }];
  }
  return response;
}

/** The same error for the whole request, and in versions whose clients look there for each partition. */
function refused(request: FetchRequest, errorCode: ErrorCode, apiVersion: number): HoldingFetchResponse {
  const topics = apiVersion >= firstVersionWithTopLevelErrors ? [] : request.topics;
  const responses = topics.map(({ topic, topicId, partitions }) => ({
    topicId,
    topic,
    partitions: partitions.map(({ partition }) => ({
      ...defaultFetchResponseResponsesPartitions(),
      partitionIndex: partition,
      errorCode,
      highWatermark: -1,
      records: noRecords,
    })),
  }));
  return { ...defaultFetchResponse(), errorCode, sessionId: request.sessionId, responses, reads: [], grant: null };
}
