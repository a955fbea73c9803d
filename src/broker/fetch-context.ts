/**
 * What one Fetch asks for, by its session, and which of the answers its client is to be told (KIP-227). I/O thread.
 *
 *   without a session   the request names all partitions, the response as well
 *   full                likewise, and a session is made when the response is
 *   incremental         the request names what changed, the response what is new
 *
 * It does not read logs (fetch-read.ts).
 */

import { ErrorCode } from '../base/error-code.ts';
import type { FetchRequest, FetchResponseResponsesPartitions } from '../protocol/generated/index.ts';
import {
  FetchPartition,
  finalSessionEpoch,
  initialSessionEpoch,
  nextSessionEpoch,
  noSessionId,
  partitionKey,
  type FetchSession,
  type FetchSessionCache,
} from './fetch-session.ts';

const firstVersionWithIds = 13;

/** The answer for one partition. */
export interface PartitionAnswer {
  readonly partition: FetchPartition;
  readonly data: FetchResponseResponsesPartitions;
}

/** The head of a response and the answers that go into it. */
export interface FetchOutcome {
  readonly errorCode: ErrorCode;
  readonly sessionId: number;
  readonly answers: readonly PartitionAnswer[];
}

export interface FetchContext {
  /** Not NONE where the request's session is not as it says; there are no partitions then. */
  readonly errorCode: ErrorCode;
  readonly partitionCount: number;
  /** What to read, in this order. */
  partitions(): Iterable<FetchPartition>;
  /** Called once, with an answer for each of `partitions`. */
  conclude(answers: readonly PartitionAnswer[]): FetchOutcome;
  /** Called instead of `conclude` where the client has to wait: it is told nothing, and will be what it does not know. */
  withhold(): FetchOutcome;
}

/** For a client without a session. */
const nothingTold: FetchOutcome = { errorCode: ErrorCode.NONE, sessionId: noSessionId, answers: [] };

/** Finds the session of a request and brings it up to date. */
export function openFetchContext(request: FetchRequest, apiVersion: number, sessions: FetchSessionCache): FetchContext {
  const { sessionId, sessionEpoch } = request;
  const usesTopicIds = apiVersion >= firstVersionWithIds;
  if (sessionEpoch === initialSessionEpoch || sessionEpoch === finalSessionEpoch) {
    // Whoever starts anew, or ends, has no use for the session it had.
    if (sessionId !== noSessionId) sessions.remove(sessionId);
    const asked = updatePartitions(new Map(), request, usesTopicIds);
    if (sessionEpoch === finalSessionEpoch) return new SessionlessContext(asked);
    return new FullContext(asked, usesTopicIds, sessions);
  }
  const session = sessions.get(sessionId);
  if (session === null) return new FailedContext(ErrorCode.FETCH_SESSION_ID_NOT_FOUND);
  if (session.epoch !== sessionEpoch) return new FailedContext(ErrorCode.INVALID_FETCH_SESSION_EPOCH);
  if (session.usesTopicIds !== usesTopicIds) return new FailedContext(ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR);
  updatePartitions(session.partitions, request, usesTopicIds);
  for (const { topicId, topic, partitions } of request.forgottenTopicsData) {
    for (const index of partitions) session.partitions.delete(partitionKey(usesTopicIds ? topicId : topic, index));
  }
  if (session.partitions.size === 0) {
    sessions.remove(session.id);
    return new SessionlessContext(new Map());
  }
  sessions.touch(session);
  session.epoch = nextSessionEpoch(session.epoch);
  return new IncrementalContext(session);
}

/** Adds what the request names to `partitions`; what is named again keeps its place. */
function updatePartitions(
  partitions: Map<string, FetchPartition>,
  request: FetchRequest,
  usesTopicIds: boolean,
): Map<string, FetchPartition> {
  for (const topic of request.topics) {
    for (const asked of topic.partitions) {
      const key = partitionKey(usesTopicIds ? topic.topicId : topic.topic, asked.partition);
      let partition = partitions.get(key);
      if (partition === undefined) {
        partition = new FetchPartition(usesTopicIds ? null : topic.topic, topic.topicId, key, asked.partition);
        partitions.set(key, partition);
      }
      partition.update(asked);
    }
  }
  return partitions;
}

class FailedContext implements FetchContext {
  readonly errorCode: ErrorCode;
  readonly partitionCount = 0;

  constructor(errorCode: ErrorCode) {
    this.errorCode = errorCode;
  }

  partitions(): Iterable<FetchPartition> {
    return [];
  }

  conclude(): FetchOutcome {
    return this.withhold();
  }

  withhold(): FetchOutcome {
    return { errorCode: this.errorCode, sessionId: noSessionId, answers: [] };
  }
}

class SessionlessContext implements FetchContext {
  readonly errorCode = ErrorCode.NONE;
  readonly #partitions: Map<string, FetchPartition>;

  constructor(partitions: Map<string, FetchPartition>) {
    this.#partitions = partitions;
  }

  get partitionCount(): number {
    return this.#partitions.size;
  }

  partitions(): Iterable<FetchPartition> {
    return this.#partitions.values();
  }

  conclude(answers: readonly PartitionAnswer[]): FetchOutcome {
    return { errorCode: ErrorCode.NONE, sessionId: noSessionId, answers };
  }

  withhold(): FetchOutcome {
    return nothingTold;
  }
}

class FullContext implements FetchContext {
  readonly errorCode = ErrorCode.NONE;
  readonly #partitions: Map<string, FetchPartition>;
  readonly #usesTopicIds: boolean;
  readonly #sessions: FetchSessionCache;

  constructor(partitions: Map<string, FetchPartition>, usesTopicIds: boolean, sessions: FetchSessionCache) {
    this.#partitions = partitions;
    this.#usesTopicIds = usesTopicIds;
    this.#sessions = sessions;
  }

  get partitionCount(): number {
    return this.#partitions.size;
  }

  partitions(): Iterable<FetchPartition> {
    return this.#partitions.values();
  }

  conclude(answers: readonly PartitionAnswer[]): FetchOutcome {
    for (const { partition, data } of answers) partition.tell(data);
    const session = this.#sessions.create(this.#partitions, this.#usesTopicIds);
    return { errorCode: ErrorCode.NONE, sessionId: session?.id ?? noSessionId, answers };
  }

  withhold(): FetchOutcome {
    return nothingTold;
  }
}

class IncrementalContext implements FetchContext {
  readonly errorCode = ErrorCode.NONE;
  readonly #session: FetchSession;
  /** What the session's epoch is unless another request came meanwhile. */
  readonly #epoch: number;

  constructor(session: FetchSession) {
    this.#session = session;
    this.#epoch = session.epoch;
  }

  get partitionCount(): number {
    return this.#session.partitions.size;
  }

  partitions(): Iterable<FetchPartition> {
    return this.#session.partitions.values();
  }

  conclude(answers: readonly PartitionAnswer[]): FetchOutcome {
    const session = this.#session;
    const { id: sessionId } = session;
    if (session.epoch !== this.#epoch) return this.withhold();
    const told = answers.filter(({ partition, data }) => partition.tell(data));
    for (const { partition, data } of told) {
      if (data.records !== null && data.records.length > 0) session.moveToEnd(partition);
    }
    return { errorCode: ErrorCode.NONE, sessionId, answers: told };
  }

  withhold(): FetchOutcome {
    const { id: sessionId, epoch } = this.#session;
    const errorCode = epoch === this.#epoch ? ErrorCode.NONE : ErrorCode.INVALID_FETCH_SESSION_EPOCH;
    return { errorCode, sessionId, answers: [] };
  }
}
