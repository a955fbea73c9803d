/**
 * ShareFetch (KIP-932): acknowledges records that a member of a share group has, and gives it others. I/O thread.
 *
 *   session (share-session.ts) → acknowledgements taken over → fetch (share-fetch.ts), unless locks are renewed or the
 *   session ends → what the member does not know yet, once the acknowledgements are durable
 */

import { ErrorCode } from '../../base/error-code.ts';
import {
  defaultShareFetchResponse,
  defaultShareFetchResponseResponsesPartitions,
  type ShareFetchRequest,
  type ShareFetchResponse,
  type ShareFetchResponseResponsesPartitions,
} from '../../protocol/generated/index.ts';
import type { ReadResult } from '../../storage/partition-log.ts';
import type { Broker } from '../broker.ts';
import type { FetchGrant } from '../fetch-memory.ts';
import { noRecords } from '../fetch-read.ts';
import { isRefusal, refusal, type Refusal } from '../groups/consumer/refusal.ts';
import { placeName, type SharePlace } from '../groups/share/share-records.ts';
import type { ApiHandler, RequestContext } from '../request-context.ts';
import { acknowledgeAll, type Acknowledged } from '../share/share-acknowledgements.ts';
import { fetchShare, type ShareAnswer, type ShareFetched } from '../share/share-fetch.ts';
import { isShareMemberId } from '../share/share-member-id.ts';
import { hasShareGroups } from '../share/share-version.ts';
import { finalShareEpoch, initialShareEpoch, type SessionPlace, type ShareSession } from '../share/share-session.ts';

const firstVersionWithRenewal = 2;
const acquireModes = ['batch optimized', 'record limit'] as const;

/** A response with what its records lie in. */
interface HoldingShareFetchResponse extends ShareFetchResponse {
  readonly reads: readonly ReadResult[];
  readonly grant: FetchGrant | null;
}

/** Who asks. */
interface Member {
  readonly groupId: string;
  readonly memberId: string;
}

const nameless = refusal(ErrorCode.INVALID_REQUEST, 'The request does not say who asks.');
const nothingFetched: ShareFetched = { answers: [], reads: [], grant: null };

export const shareFetchHandler: ApiHandler<ShareFetchRequest, HoldingShareFetchResponse> = {
  apiKey: 78,
  async handle(request, context, broker) {
    const { groupId, memberId, shareSessionEpoch, topics, isRenewAck, shareAcquireMode } = request;
    const problem = problemOf(request, broker);
    if (problem !== null || groupId === null || memberId === null) return refused(problem ?? nameless);
    const session = openSession(request, { groupId, memberId }, context, broker);
    if (isRefusal(session)) return afterRefusal(session, request, broker);
    const mode = acquireModes[shareAcquireMode];
    // As in Kafka, which finds out only when it fetches: the session is one epoch further.
    if (mode === undefined) {
      return refused(refusal(ErrorCode.UNKNOWN_SERVER_ERROR, `There is no acquire mode ${shareAcquireMode}.`));
    }
    const isRenewal = context.apiVersion >= firstVersionWithRenewal && isRenewAck;
    const acknowledging = hasAcknowledgements(request)
      ? acknowledgeAll(
          topics,
          { groupId, memberId, knowsRenewal: context.apiVersion >= firstVersionWithRenewal, isRenewal },
          context,
          broker,
        )
      : Promise.resolve([]);
    const isFinal = shareSessionEpoch === finalShareEpoch;
    const maxBytes = boundBytes(request, context, broker);
    const fetched =
      isFinal || isRenewal
        ? nothingFetched
        : await fetchShare(
            [...session.places.values()],
            {
              groupId,
              memberId,
              mode,
              batchSize: Math.max(request.batchSize, 1),
              maxRecords: request.maxRecords,
              maxBytes,
              minBytes: Math.min(request.minBytes, maxBytes),
              maxWaitMs: request.maxWaitMs,
              isolation: broker.groups.sharePartitions.settings.isolation(groupId),
            },
            context,
            broker,
          );
    const acknowledged = await acknowledging;
    const told = answersToTell(session, fetched.answers, shareSessionEpoch === initialShareEpoch, broker);
    if (isFinal) broker.shareSessions.end(session);
    return {
      ...defaultShareFetchResponse(),
      acquisitionLockTimeoutMs: broker.groups.sharePartitions.settings.lockDurationMs(groupId),
      responses: byTopic(told, acknowledged),
      reads: fetched.reads,
      grant: fetched.grant,
    };
  },
  released({ reads, grant }) {
    for (const read of reads) read.release();
    grant?.release();
  },
};

function problemOf(request: ShareFetchRequest, broker: Broker): Refusal | null {
  const invalid = (message: string): Refusal => refusal(ErrorCode.INVALID_REQUEST, message);
  const { groupId, memberId, isRenewAck, maxBytes, minBytes, maxRecords, maxWaitMs } = request;
  if (!hasShareGroups(broker)) return refusal(ErrorCode.UNSUPPORTED_VERSION, 'Share groups are switched off.');
  if (!broker.groups.isActive) return refusal(ErrorCode.COORDINATOR_NOT_AVAILABLE, 'The broker is stopping.');
  if (groupId === null) return invalid('Invalid group id in the request.');
  if (!isShareMemberId(memberId)) return invalid('Invalid member id in the request.');
  // What is renewed could end again while records are waited for (KIP-1222).
  if (isRenewAck && [maxBytes, minBytes, maxRecords, maxWaitMs].some((value) => value !== 0)) {
    return invalid('Who renews locks fetches nothing: maxBytes, minBytes, maxRecords and maxWaitMs have to be 0.');
  }
  return null;
}

function hasAcknowledgements({ topics }: ShareFetchRequest): boolean {
  return topics.some(({ partitions }) => partitions.some((each) => each.acknowledgementBatches.length > 0));
}

function openSession(
  request: ShareFetchRequest,
  { groupId, memberId }: Member,
  { connection }: RequestContext,
  { shareSessions }: Broker,
): ShareSession | Refusal {
  const { shareSessionEpoch: epoch } = request;
  const named = request.topics.flatMap(({ topicId, partitions }) =>
    partitions.map(({ partitionIndex }): SharePlace => ({ topicId, partition: partitionIndex })),
  );
  if (epoch === initialShareEpoch) {
    if (!hasAcknowledgements(request)) return shareSessions.begin(groupId, memberId, named, connection);
    return refusal(ErrorCode.INVALID_REQUEST, 'Nothing can be acknowledged in the first request of a session.');
  }
  const session = shareSessions.next(groupId, memberId, epoch);
  if (isRefusal(session) || epoch === finalShareEpoch) return session;
  const forgotten = request.forgottenTopicsData.flatMap(({ topicId, partitions }) =>
    partitions.map((partition): SharePlace => ({ topicId, partition })),
  );
  return shareSessions.update(session, named, forgotten) ?? session;
}

/** Who finds no room for a session waits before trying again. */
async function afterRefusal(
  problem: Refusal,
  { maxWaitMs }: ShareFetchRequest,
  { clock }: Broker,
): Promise<HoldingShareFetchResponse> {
  if (problem.errorCode === ErrorCode.SHARE_SESSION_LIMIT_REACHED) {
    await new Promise<void>((resolve) => clock.setTimer(maxWaitMs, resolve));
  }
  return refused(problem);
}

function refused({ errorCode, message }: Refusal): HoldingShareFetchResponse {
  return { ...defaultShareFetchResponse(), errorCode, errorMessage: message, reads: [], grant: null };
}

function boundBytes({ maxBytes }: ShareFetchRequest, { charge }: RequestContext, { config }: Broker): number {
  return Math.min(Math.max(maxBytes, 0), config.number('fetch.max.bytes'), charge?.fetchBoundBytes ?? Infinity);
}

/** The answers that the member is to hear of: all of its first request, later those that say something. */
function answersToTell(
  session: ShareSession,
  answers: readonly ShareAnswer[],
  isFirst: boolean,
  { shareSessions }: Broker,
): ShareAnswer[] {
  const told: ShareAnswer[] = [];
  for (const answer of answers) {
    const { place, data } = answer;
    const name = placeName(place);
    const known: SessionPlace | undefined = session.places.get(name);
    const hasRecords = data.records.length > 0;
    if (isFirst || hasRecords || data.errorCode !== ErrorCode.NONE || known?.isNew === true) told.push(answer);
    // After an error the partition is told again once the error is gone.
    if (known !== undefined) known.isNew = data.errorCode !== ErrorCode.NONE;
    if (hasRecords) shareSessions.moveToEnd(session, name);
  }
  return told;
}

/** Answers and what became of acknowledgements, together by topic. */
function byTopic(told: readonly ShareAnswer[], acknowledged: readonly Acknowledged[]): ShareFetchResponse['responses'] {
  const data = new Map<string, { place: SharePlace; data: ShareFetchResponseResponsesPartitions }>();
  for (const answer of told) data.set(placeName(answer.place), answer);
  for (const { place, problem } of acknowledged) {
    const name = placeName(place);
    let answer = data.get(name);
    if (answer === undefined) {
      const partitionIndex = place.partition;
      answer = {
        place,
        data: { ...defaultShareFetchResponseResponsesPartitions(), partitionIndex, records: noRecords },
      };
      data.set(name, answer);
    }
    if (problem === null) continue;
    answer.data.acknowledgeErrorCode = problem.errorCode;
    answer.data.acknowledgeErrorMessage = problem.message;
  }
  const topics = new Map<string, ShareFetchResponse['responses'][number]>();
  for (const { place, data: partition } of data.values()) {
    const topic = topics.get(place.topicId);
    if (topic === undefined) topics.set(place.topicId, { topicId: place.topicId, partitions: [partition] });
    else topic.partitions.push(partition);
  }
  return [...topics.values()];
}
